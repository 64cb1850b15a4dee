"""Teams of threads, and which cores they may use."""
