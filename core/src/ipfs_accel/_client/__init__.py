"""The two faces, `Client` and `AsyncClient`: the same names, thin over `_calls`."""
