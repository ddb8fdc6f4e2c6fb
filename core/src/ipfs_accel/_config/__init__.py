"""Settings: the file, the environment, and stored keys."""
