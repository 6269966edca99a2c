"""The room `analyse.speaker`."""
