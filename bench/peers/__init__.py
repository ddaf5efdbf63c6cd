"""Other libraries that grade written answers, each in an environment of its own, beside coach: `make peers`."""
