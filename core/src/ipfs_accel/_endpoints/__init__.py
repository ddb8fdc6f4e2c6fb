"""What holds for one endpoint: settings, key and backend brought together."""
