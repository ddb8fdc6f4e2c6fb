"""Plugins: found, checked, loaded each in its own guard."""
