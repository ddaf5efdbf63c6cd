"""The `coach` command. Parse, call one function, render, exit code: the work is done elsewhere."""

from coach.cli.main import entry_point, main

__all__ = ["entry_point", "main"]
