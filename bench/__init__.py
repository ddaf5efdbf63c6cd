"""Measurements, as ratios within one run; `make bench` prints what docs/benchmarks.md states."""
