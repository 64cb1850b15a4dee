"""The command line, fastnn or python -m fastnn: a file for each command, and files that commands share."""
