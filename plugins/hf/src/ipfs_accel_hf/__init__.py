"""Hugging Face: the backends `hf`, `tgi` and `tei`, each in a module of its own that the others do not import."""
