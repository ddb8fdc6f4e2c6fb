"""What the tests of the ollama backend share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ipfs_accel import Client, Config, EndpointConfig
from pytest_httpserver import HTTPServer

Sent = Callable[..., Any]

TIMES = {"total_duration": 5_000_000_000, "load_duration": 1_000_000_000, "prompt_eval_duration": 500_000_000, "eval_duration": 2_000_000_000}  # fmt: skip
COUNTS = {"prompt_eval_count": 26, "eval_count": 8}
END = {"done": True, "done_reason": "stop", **TIMES, **COUNTS}


@pytest.fixture
def endpoints(httpserver: HTTPServer) -> dict[str, EndpointConfig]:
    url = httpserver.url_for("").rstrip("/")
    return {
        "ollama": EndpointConfig(base_url=url),
        "strict": EndpointConfig(backend="ollama", base_url=url, schemas="refuse"),
        "set": EndpointConfig(
            backend="ollama", base_url=url, options={"num_ctx": 8192, "keep_alive": "10m", "truncate": False}
        ),
    }


@pytest.fixture
def client(endpoints: dict[str, EndpointConfig]) -> Iterator[Client]:
    with Client(Config(environ={}), endpoints=endpoints) as client:
        yield client


@pytest.fixture
def sent(httpserver: HTTPServer) -> Sent:
    """Return the body of the last request, or of an earlier one."""
    return lambda index=-1: json.loads(httpserver.log[index][0].get_data())


def chat(content: str = "Hi.", **message: Any) -> dict[str, Any]:
    return {"model": "m", "created_at": "2025-07-07T20:22:19.184789Z", "message": {"role": "assistant", "content": content, **message}}  # fmt: skip


def generated(response: str = "Hi.", **more: Any) -> dict[str, Any]:
    return {"model": "m", "created_at": "2025-07-07T20:22:19.184789Z", "response": response, **more}


def ndjson(*lines: Any) -> str:
    return "".join([(line if isinstance(line, str) else json.dumps(line, ensure_ascii=False)) + "\n" for line in lines])
