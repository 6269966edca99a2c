"""The room `vocode`."""
