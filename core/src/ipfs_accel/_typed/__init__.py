"""Python's types as JSON Schema and back: answers as values of a class, tools from functions."""
