"""English: from figures and short forms to words, from words to phonemes."""
