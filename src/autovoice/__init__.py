"""AutoVoice: a song in, the same song sung by another voice out."""
