"""How fast the engine is on this machine, each figure beside its baseline of the same run."""
