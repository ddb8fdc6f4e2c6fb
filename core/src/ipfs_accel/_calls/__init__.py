"""A call from its request to its answer: planned by one hook, performed once for both worlds."""
