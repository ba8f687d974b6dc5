"""Benchmarks: each figure stands beside the least SQL that does the same work."""
