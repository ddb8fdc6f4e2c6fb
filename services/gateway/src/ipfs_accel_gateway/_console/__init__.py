"""The console: a page for whoever runs the gateway, at a port of its own, of files that stand beside this."""
