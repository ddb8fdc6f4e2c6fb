"""Options of calls, each of which a backend has to send, to refuse, or to name as one that it cannot honour."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ipfs_accel import Client, JsonSchema, Tool
from ipfs_accel.errors import AccelError, InvalidRequestError, UnsupportedParameterError

from .faults import PATIENCE
from .raw_server import Connection
from .trials import Subject, listening

__all__ = ["OPTIONS", "lost_options"]

_PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)
_WAV = b"RIFF\0\0\0\0WAVEfmt " + bytes(32)
_TOOLS = {"tools": [Tool(name="f", description="d", parameters={"type": "object", "properties": {}})]}
_SAMPLING: dict[str, Any] = {
    "max_tokens": 7,
    "temperature": 0.5,
    "top_p": 0.5,
    "top_k": 5,
    "seed": 3,
    "stop": ["end"],
    "n": 2,
    "user": "u-7",
    "frequency_penalty": 0.5,
    "presence_penalty": 0.5,
    "logit_bias": {"5": 1.0},
}
_CHAT: dict[str, Any] = {
    **_SAMPLING,
    **_TOOLS,
    "parallel_tool_calls": False,
    "reasoning_effort": "low",
    "logprobs": True,
    "top_logprobs": 2,
    "response_format": JsonSchema(name="r", schema={"type": "object"}),
}
_COMPLETE = {**_SAMPLING, "suffix": "end", "echo": True, "logprobs": 2}
_PICTURE: dict[str, Any] = {
    "n": 2,
    "size": "512x512",
    "quality": "high",
    "background": "opaque",
    "style": "vivid",
    "output_format": "jpeg",
    "output_compression": 50,
    "seed": 3,
    "negative_prompt": "dogs",
    "user": "u-7",
}
_SOUND = {"language": "de", "prompt": "names", "temperature": 0.5, "timestamps": "word", "response_format": "text"}
_SPEECH = {"output_format": "mp3", "speed": 1.5, "instructions": "softly", "sample_rate": 16_000}

OPTIONS: Mapping[str, tuple[Callable[..., Any], Mapping[str, Any]]] = {
    "chat": (lambda client, model, **given: client.chat(model, "hi", **given), _CHAT),
    "stream": (lambda client, model, **given: client.stream(model, "hi", **given).read(), _CHAT),
    "complete": (lambda client, model, **given: client.complete(model, "hi", **given), _COMPLETE),
    "stream_complete": (lambda client, model, **given: client.stream_complete(model, "hi", **given).read(), _COMPLETE),
    "embed": (lambda client, model, **given: client.embed(model, "hi", **given), {"dimensions": 8, "user": "u-7"}),
    "generate_image": (lambda client, model, **given: client.generate_image(model, "a cat", **given), _PICTURE),
    "edit_image": (lambda client, model, **given: client.edit_image(model, _PNG, "a hat", **given), _PICTURE),
    "transcribe": (lambda client, model, **given: client.transcribe(model, _WAV, **given), _SOUND),
    "translate": (lambda client, model, **given: client.translate(model, _WAV, **given), _SOUND),
    "speak": (lambda client, model, **given: client.speak(model, "hi", voice="v", **given), _SPEECH),
}
"""Operation to a call of it and its options, each with a value that is not what happens anyway."""

_BOUNDARY = re.compile(rb"\b[0-9a-f]{32}\b")
_REFUSAL = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


def lost_options(subject: Subject, operation: str) -> list[str]:
    """Return the options that change nothing in what is sent, although the call goes on as if they did."""
    call, options = OPTIONS[operation]

    def refuse(connection: Connection) -> None:
        while connection.request() is not None:
            connection.send(_REFUSAL)

    with listening(subject, refuse) as server, subject.client(Client, server.url, PATIENCE) as client:

        def sent(**given: Any) -> list[Any] | None:
            """Return what is sent; None if the call is refused before."""
            before = len(server.bodies)
            try:
                call(client, f"{subject.info.name}/m", **given)
            except (InvalidRequestError, UnsupportedParameterError):
                return None
            except AccelError:
                pass  # as the server says
            lines = [head.partition("\r\n")[0] for head in server.heads[before:]]
            return list(zip(lines, [_BOUNDARY.sub(b"", body) for body in server.bodies[before:]], strict=True))

        sent()  # some ask a server once what it is
        plain = sent()
        if not plain:
            return []
        found = []
        for name, value in options.items():
            beside = _TOOLS if name == "parallel_tool_calls" else {}
            otherwise = sent(**beside) if beside else plain
            if otherwise is not None and sent(**beside, **{name: value}) == otherwise:
                found.append(name)
        return found
