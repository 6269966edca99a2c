"""The room `analyse.pitch`."""
