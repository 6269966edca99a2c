"""The room `voices`."""
