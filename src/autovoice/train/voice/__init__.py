"""Train one voice: look at the recordings, learn a small addition, keep the best."""
