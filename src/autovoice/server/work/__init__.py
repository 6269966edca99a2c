"""Worker processes: take a job, run it on an engine, bring back what came of it."""
