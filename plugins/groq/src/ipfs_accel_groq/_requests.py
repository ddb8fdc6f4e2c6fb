"""Where Groq's chats differ from OpenAI's: documents, tools of the server, members that it refuses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs
from ipfs_accel import strict_json
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import ChatRequest, Document, Message, Refusal, Text, ToolResult
from ipfs_accel.wire.documents import text_of, with_texts
from ipfs_accel.wire.roles import INSTRUCTIONS, texts_alone

__all__ = ["TEXTS_ALONE", "Taken", "finish", "named", "take_apart", "without_files"]

Json = dict[str, Any]

TEXTS_ALONE = {*INSTRUCTIONS, "assistant"}
"""Roles whose messages have no pictures."""


@attrs.frozen(kw_only=True)
class Taken:
    """What is written elsewhere than in OpenAI's chats.

    Attributes:
        request: The chat without it.
        documents: To be read by the model; Groq cites them by their ids.
        tools: Tools of the server, such as `browser_search`, beside the caller's own.
    """

    request: ChatRequest
    documents: tuple[Json, ...]
    tools: tuple[Any, ...]


def take_apart(request: ChatRequest) -> Taken:
    """Take out documents and the server's tools; a refusal becomes text, since Groq has no other place for it."""
    documents = tuple(_documents(request.messages))
    messages = texts_alone(tuple([_plain(message) for message in request.messages]), TEXTS_ALONE, "Groq")
    extra, tools = dict(request.extra), ()
    if request.tools or not extra.get("tools", True):  # Groq refuses an empty list
        tools = tuple(extra.pop("tools", None) or ())
    return Taken(request=attrs.evolve(request, messages=messages, extra=extra), documents=documents, tools=tools)


def _plain(message: Message) -> Message:
    if not any(isinstance(part, Document | Refusal) for part in message.content):
        return message
    kept = [part for part in message.content if not isinstance(part, Document)]
    return attrs.evolve(
        message, content=tuple([Text(text=part.text) if isinstance(part, Refusal) else part for part in kept])
    )


def _documents(messages: tuple[Message, ...]) -> Iterator[Json]:
    for index, message in enumerate(messages):
        for part in message.content:
            if isinstance(part, Document):
                source = _source(part, f"messages[{index}]")
                yield {"source": source} if part.name is None else {"id": part.name, "source": source}


def _source(part: Document, where: str) -> Json:
    try:
        if part.data is not None and part.media_type == "application/json":
            return {"type": "json", "data": strict_json.loads(part.data)}
        text = text_of(part)
    except InvalidRequestError as error:
        raise InvalidRequestError(f"{where}: {error.message}", hint=error.hint) from None
    except ValueError as error:
        raise InvalidRequestError(f"{where}: document: it is not {part.media_type}: {error}") from None
    if text is None:
        what = part.media_type if part.data is not None else "URLs and files that it keeps"
        raise InvalidRequestError(
            f"{where}: document: Groq takes text and JSON as data, not {what}", hint="extract its text"
        )
    return {"type": "text", "text": text}


def without_files(request: ChatRequest) -> ChatRequest:
    """Return a chat with its files of text as texts, for the Responses API, which takes no documents."""
    messages = [attrs.evolve(message, content=_read(message.content)) for message in request.messages]
    return attrs.evolve(request, messages=tuple(messages))


def _read(content: Sequence[Any]) -> tuple[Any, ...]:
    if any(isinstance(part, Document) for part in content):
        content = with_texts(content)
    return tuple(
        [attrs.evolve(part, content=_read(part.content)) if isinstance(part, ToolResult) else part for part in content]
    )


def named(request: ChatRequest) -> tuple[str, ...]:
    """Return the names of speakers that the caller gave; Groq refuses messages that have one."""
    return tuple([f"messages[{index}].name" for index, message in enumerate(request.messages) if message.name])


def finish(body: Json, taken: Taken) -> Json:
    """Put in what was taken out, and take out what Groq refuses of messages: names, and members that are null."""
    if "messages" in body and "messages" not in taken.request.extra:
        body["messages"] = [
            {name: value for name, value in message.items() if name != "name" and value is not None}
            for message in body["messages"]
        ]
    if taken.documents:
        body["documents"] = [*taken.documents, *(body.get("documents") or ())]
    if taken.tools:
        body["tools"] = [*body["tools"], *taken.tools]
    return body
