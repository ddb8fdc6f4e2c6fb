"""A plugin as one was written for plugin API 1: it is never edited, and goes on working with every later core.

What it uses is the promise that the plugin API makes. If a test here fails, an adapter is missing (see
`ipfs_accel._plugins.adapters`), not an edit of the plugin.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from ipfs_accel.testing import BackendContract, Exchange, json_reply, ndjson_reply, openai_exchanges

from .frozen import openai_api_1, own_api_1

FROZEN = Path(__file__).parent / "frozen"
END = {"model": "m", "reason": "stop", "usage": {"read": 3, "written": 2}}
MODELS = json_reply([{"name": "m", "context": 8192}])


def test_they_are_as_they_were() -> None:
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in FROZEN.glob("*_api_*.py")}
    assert digests == {"openai_api_1.py": "b4955ec14753dd68", "own_api_1.py": "4be7b971c901c14a"}


class TestOwnWire(BackendContract):
    plugin = own_api_1.backend
    exchanges = (
        Exchange(
            operation="chat",
            call=lambda client, at: client.chat(f"{at}/m", "Hello", max_tokens=9),
            replies=json_reply({"text": "Good day", **END}),
            check=lambda answer: (answer.text, answer.usage.output_tokens) == ("Good day", 2),
        ),
        Exchange(
            operation="stream",
            call=lambda client, at: client.stream(f"{at}/m", "Hello", temperature=0),
            replies=ndjson_reply({"text": "Good"}, {"text": " day"}, END),
            check=lambda answer: (answer.text, answer.finish_reason) == ("Good day", "stop"),
        ),
        Exchange(
            operation="embed",
            call=lambda client, at: client.embed(f"{at}/m", ["a", "b"]),
            replies=json_reply({"model": "m", "vectors": [[1.0, 0.0], [0.5, 0.5]]}),
            check=lambda answer: list(answer.vectors[1]) == [0.5, 0.5],
        ),
        Exchange(operation="list_models", call=lambda client, at: client.list_models(at), replies=MODELS),
        Exchange(operation="healthcheck", call=lambda client, at: client.healthcheck(at), replies=MODELS),
    )


class TestOpenAIShaped(BackendContract):
    plugin = openai_api_1.backend
    exchanges = openai_exchanges()
