"""The room `nn`."""
