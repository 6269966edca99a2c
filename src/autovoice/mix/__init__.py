"""The room `mix`."""
