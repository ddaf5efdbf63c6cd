"""One module a library: how it is asked for the same grades, in its own way, through its public API."""
