"""`ipfs-accel request`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from ipfs_accel._convert.raw import METHODS
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import DataDelta, RawResponse, Upload

from . import kinds
from .command import Command, State, pass_state
from .output import clean, emit, is_terminal, write, write_json, write_line
from .progress import Bar
from .values import plain

__all__ = ["request"]

_JSON = "application/json"


@click.command(
    cls=Command,
    short_help="Send any request of a provider's API.",
    help="Send any request of a provider's API, with the endpoint's key, and write what is answered.\n\n"
    "PATH is as the provider's documentation has it; it goes below the endpoint's base URL. GET and HEAD are repeated "
    "where that helps, all else only with --idempotent.",
    examples=(
        "ipfs-accel request openai GET /containers",
        'ipfs-accel request openai POST /vector_stores -d \'{"name": "notes"}\'',
        "ipfs-accel request openai GET /videos/video_123/content -o video.mp4",
        "ipfs-accel request claude POST /skills -H 'anthropic-beta: skills-2025-10-02' -F files[]=@skill.zip",
        'ipfs-accel request ollama POST /api/pull -d \'{"model": "gemma3"}\' --stream',
    ),
)
@click.argument("endpoint", type=kinds.ENDPOINT)
@click.argument("method", type=kinds.Words(METHODS))
@click.argument("path")
@click.option(
    "-d",
    "--data",
    metavar="JSON|@FILE|-",
    type=kinds.FIELD,
    help="The body: JSON, a file as it is, or - for what is piped in.",
)
@click.option(
    "-F", "--form", multiple=True, metavar="NAME=TEXT|@FILE", type=kinds.FIELD, help="A field of a form. Repeatable."
)
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=TEXT", help="A part of the query. Repeatable.")
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: TEXT'", help="A further header. Repeatable.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=kinds.FILE,
    help="Write the answer to a file, which appears when it is complete.",
)
@click.option("--stream", is_flag=True, help="Write the answer while it comes: of events their data, one a line.")
@click.option("--idempotent", is_flag=True, help="It may be sent again although the server may have acted on it.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="For the whole call.")
@pass_state
def request(
    state: State,
    endpoint: str,
    method: str,
    path: str,
    *,
    data: str | None,
    form: tuple[str, ...],
    params: tuple[str, ...],
    headers: tuple[str, ...],
    output: str | None,
    stream: bool,
    idempotent: bool,
    timeout: float | None,
) -> None:
    """Send any request."""
    if stream and output is not None:
        raise InvalidRequestError("--stream and --output exclude each other")
    options: dict[str, Any] = {
        **_body(data),
        **_form(form),
        "params": [_pair(each, "-p", "=") for each in params],
        "headers": dict([_pair(each, "-H", ":") for each in headers]),
        "idempotent": idempotent,
        "timeout": timeout,
    }
    with state.client() as client, Bar(state, "sending") as bar:
        options["on_upload"] = bar.bytes
        if output is not None:
            done = client.request_to_file(endpoint, method, path, output, **options)
            emit(state, {"file": output, "bytes": done.size}, lambda: write_line(output))
        elif stream:
            with client.stream_request(endpoint, method, path, **options) as events:
                _stream(state, events)
        else:
            _show(state, client.request(endpoint, method, path, **options))


def _pair(text: str, flag: str, between: str) -> tuple[str, str]:
    name, sign, value = text.partition(between)
    if not name.strip() or not sign:
        raise InvalidRequestError(f"{flag} {text!r}: expected NAME{between}TEXT")
    return name.strip(), value.strip() if between == ":" else value


def _body(data: str | None) -> dict[str, Any]:
    if data is None:
        return {}
    if data == "-":
        return {"data": Upload(name="stdin", media_type=_JSON, **_piped())}
    if data.startswith("@"):
        return {"data": Path(data[1:])}
    try:
        return {"json": json.loads(data)}
    except ValueError as error:
        raise InvalidRequestError(
            f"-d: it is not valid JSON: {error}",
            hint="a file is sent as it is with -d @FILE, what is piped in with -d -",
        ) from None


def _piped() -> dict[str, Any]:
    content = sys.stdin.buffer.read()
    return {"data": content, "size": len(content)}


def _form(form: Iterable[str]) -> dict[str, Any]:
    pairs = [_pair(each, "-F", "=") for each in form]
    files = [(name, Path(text[1:])) for name, text in pairs if text.startswith("@")]
    return {"fields": [pair for pair in pairs if not pair[1].startswith("@")], "files": files}


def _stream(state: State, events: Iterable[Any]) -> None:
    for event in events:
        if state.json:
            write_line(json.dumps(plain(event), ensure_ascii=False))
        elif isinstance(event, DataDelta):
            _write_bytes(event.data)
        else:
            write_line(clean(event.data) if is_terminal() else event.data)


def _show(state: State, answer: RawResponse) -> None:
    try:
        value = answer.json()
    except ValueError:
        value = None
    if state.json:
        known = {"status": answer.status, "request_id": answer.request_id, "headers": dict(answer.headers.items())}
        write_json({**known, **({"json": value} if value is not None else _content(answer.body))})
    elif value is not None and is_terminal():
        write_json(value)
    elif answer.body:
        _write_bytes(answer.body)


def _content(body: bytes) -> dict[str, Any]:
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"base64": plain(body)}


def _write_bytes(data: bytes) -> None:
    """Write what a server sent: to a terminal only what is text."""
    if not is_terminal():
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        write(clean(data.decode()))
    except UnicodeDecodeError:
        raise InvalidRequestError("the answer is no text", hint="write it to a file: -o FILE") from None
