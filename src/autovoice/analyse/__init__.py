"""The room `analyse`."""
