"""What is known of answers that are passed on unread."""

from __future__ import annotations

import json

import pytest
from ipfs_accel.errors import APIError, OverloadedError
from ipfs_accel.types import Usage
from ipfs_accel_ollama._relays import _LINES

from .conftest import END, chat, generated, ndjson


@pytest.mark.parametrize(
    ("tail", "usage", "whole"),
    [
        (ndjson(chat("H"), chat("") | END), Usage(input_tokens=26, output_tokens=8), True),
        (
            ndjson(generated("") | {"context": [*range(2000)], **END})[-4096:],
            Usage(input_tokens=26, output_tokens=8),
            True,
        ),
        (json.dumps({"embeddings": [[1.0]], "prompt_eval_count": 3}), Usage(input_tokens=3), False),
        (ndjson(chat('"eval_count":9,"done":true')), None, False),
        (ndjson(chat("H"), {"error": "out of memory"}), None, False),
        (ndjson(chat("H") | END, chat("H")), Usage(input_tokens=26, output_tokens=8), False),
        ("", None, False),
    ],
    ids=["stream", "long_line", "vectors", "said", "error", "not_last", "nothing"],
)
def test_the_end_of_an_answer_is_known(tail: str, usage: Usage | None, whole: bool) -> None:
    text = tail.replace(": ", ":").encode()
    assert _LINES.usage(b"", text) == usage
    assert _LINES.is_whole(text) is whole


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (b'{"error":"server busy, please try again"}\n', OverloadedError),
        (b'{"error": "out of memory"}', APIError),
        (b'{"model":"m","message":{"role":"assistant","content":"\\"error\\""},"done":false}\n', None),
        (b'{"error":"cut', None),
        (b"", None),
    ],
    ids=["busy", "memory", "said", "cut", "nothing"],
)
def test_an_error_at_the_beginning_is_known(first: bytes, kind: type[APIError] | None) -> None:
    found = _LINES.failure(first)
    assert found is None if kind is None else isinstance(found, kind)
