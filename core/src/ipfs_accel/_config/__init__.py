"""Settings: the file, the environment, keys, and what holds for one endpoint."""
