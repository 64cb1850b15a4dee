"""The environment of this process: its threads, its warnings, and the installation of fastnn."""
