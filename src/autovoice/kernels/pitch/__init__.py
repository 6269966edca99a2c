"""The reference of ``pitch_finish``: scans over batches in place of loops over runs of frames."""
