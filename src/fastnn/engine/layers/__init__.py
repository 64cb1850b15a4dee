"""What the engine makes networks of: signals, and layers between them, one file for each kind."""
