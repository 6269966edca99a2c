"""Whether the CPU side has become slower: every case as a ratio to a calibration loop."""
