"""The command line, python -m fastnn: one file per command, and what they share."""
