"""What this process has: threads, warnings, the installation."""
