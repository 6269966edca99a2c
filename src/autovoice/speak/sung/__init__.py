"""Notes and words to what the decoder sings."""
