"""Run llama.cpp's real server in a process of its own, for tests.

    python serve_llama.py model.gguf '{"api_keys": ["sk-test"], "n_parallel": 2}'

Prints its base URL as one line on stdout and ends when stdin does, so that it never outlives who started it.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import xllamacpp


def main() -> None:
    """Load the model, say where the server listens, wait for the end of stdin."""
    path, settings = sys.argv[1], json.loads(sys.argv[2])
    parameters = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.port = 0
    parameters.warmup = False
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = 1
    for name, value in settings.items():
        setattr(parameters, name, _value(name, value))
    server = xllamacpp.Server(parameters)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)  # to stop the server would wait for ever for a loop that has not begun yet, as on a busy machine


def _value(name: str, value: Any) -> Any:
    if name == "pooling_type":
        return getattr(xllamacpp.llama_pooling_type, value)
    return set(value) if name == "model_alias" else value


if __name__ == "__main__":
    main()
