"""The room `weights.converters`."""
