"""The room `analyse.content`."""
