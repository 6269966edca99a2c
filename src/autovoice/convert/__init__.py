"""The room `convert`."""
