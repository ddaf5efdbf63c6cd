"""`python -m coach`."""

from coach.cli import entry_point

entry_point()
