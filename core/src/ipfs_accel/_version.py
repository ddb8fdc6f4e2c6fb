"""The version. It stands here rather than in metadata alone, which take milliseconds to read; a test compares both."""

__version__ = "0.1.0"
