"""Labelled answers, training of the offline judge, and measurements of judges."""
