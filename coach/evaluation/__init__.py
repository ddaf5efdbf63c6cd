"""Any judge against labelled answers: agreement, pins, and two runs compared. Needs the extra `eval`."""
