"""The room `eval`."""
