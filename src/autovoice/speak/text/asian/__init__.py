"""Languages of other scripts: Mandarin, Japanese, Hindi."""
