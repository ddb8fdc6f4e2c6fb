"""Slow, obvious parsers of the two stream formats, to hold the fast ones to.

They look at the whole stream at once, character by character, in the order of the text of WHATWG HTML, section
9.2.6). Four things are ours on purpose: the end of the stream completes an event, an event carries the last id, a field
`error` is an event of that name, and lines of JSON without a name before them are data.
"""

from __future__ import annotations

from typing import Any


def lines_of(text: str) -> list[str]:
    """Split at CRLF, LF and CR, and nowhere else; the last item is what follows the last line end."""
    lines, current, index = [], "", 0
    while index < len(text):
        character = text[index]
        if character in "\r\n":
            if text[index : index + 2] == "\r\n":
                index += 1
            lines.append(current)
            current = ""
        else:
            current += character
        index += 1
    return [*lines, current]


def parse_sse(stream: bytes) -> list[dict[str, Any]]:
    """Return the events of a stream."""
    text = stream.decode("utf-8")
    text = text.removeprefix("\ufeff")
    events: list[dict[str, Any]] = []
    data: list[str] = []
    kind, last_id, retry, bare = "", None, None, False
    for line in [*lines_of(text), ""]:
        if not line:
            if data:
                events.append({"event": kind or "message", "data": "\n".join(data), "id": last_id, "retry": retry})
            data, kind, retry, bare = [], "", None, False
            continue
        name, colon, value = line.partition(":")
        if colon and not name:
            continue
        if name != "data" and (bare or (not data and line[0] in "{[")):
            bare = True
            data.append(line)
            continue
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            kind = value
        elif name == "error":
            kind = "error"
            data.append(value)
        elif name == "id" and "\0" not in value:
            last_id = value
        elif name == "retry" and value and all(character in "0123456789" for character in value):
            retry = int(value)
    return events


def parse_ndjson(stream: bytes) -> list[str]:
    """Return the lines of a stream that are not blank."""
    found = [line.strip(" \t\r") for line in stream.decode("utf-8").split("\n")]
    return [line for line in found if line]
