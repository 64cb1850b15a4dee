"""From what users have to what the engine reads."""
