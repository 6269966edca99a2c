"""The room `speak`."""
