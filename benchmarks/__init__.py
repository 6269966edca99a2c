"""Measurements that others can repeat: ``python -m benchmarks`` writes docs/benchmarks.md."""
