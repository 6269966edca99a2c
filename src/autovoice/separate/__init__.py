"""The room `separate`."""
