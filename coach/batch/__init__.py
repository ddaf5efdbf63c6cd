"""Grading files of answers, at any size: rows in, journal, engine, rows out."""
