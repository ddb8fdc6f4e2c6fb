"""Reading arguments: models, prompts, options as KEY=VALUE, schemas and attachments."""

from __future__ import annotations

import json
import mimetypes
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

from ipfs_accel._suggest import did_you_mean
from ipfs_accel.errors import InvalidRequestError, InvalidValueError
from ipfs_accel.types import Audio, Document, Image, JsonSchema, Message

from . import kinds

__all__ = [
    "attach_option",
    "attachment",
    "check_model",
    "extra_option",
    "model_option",
    "offline_option",
    "option_names",
    "parse_options",
    "parse_pairs",
    "parse_schema",
    "raw_option",
    "read_stdin",
    "schema_option",
    "settings_option",
    "stdin_is_terminal",
    "system_option",
    "texts_or_lines",
    "usage_option",
    "with_stdin",
]

F = TypeVar("F", bound=Callable[..., Any])


def model_option(function: F) -> F:
    """Add `--model`."""
    return click.option(
        "-m",
        "--model",
        metavar="MODEL",
        type=kinds.MODEL,
        help="endpoint/model or an alias. Default: default_model of the configuration.",
    )(function)


def settings_option(*options: Any) -> Callable[[F], F]:
    """Add `--option`, for the options of an option dict such as `ChatOptions`, or of several."""
    return click.option(
        "-o",
        "--option",
        "settings",
        multiple=True,
        metavar="NAME=VALUE",
        type=kinds.Settings(options),
        help="An option of the call, such as temperature=0.2 or timeout=30; JSON or text. Repeatable.",
    )


def offline_option(function: F) -> F:
    """Add `--offline`."""
    return click.option(
        "--offline", is_flag=True, help="Ask no server: go by the plugins' dated catalogues. Needs no key."
    )(function)


def extra_option(function: F) -> F:
    """Add `--extra`."""
    return click.option(
        "-O",
        "--extra",
        multiple=True,
        metavar="NAME=VALUE",
        help="A field of the provider's own, put into the request as it is; JSON or text. Repeatable.",
    )(function)


def system_option(function: F) -> F:
    """Add `--system`."""
    text = "Instructions that stand above the conversation."
    return click.option("-s", "--system", metavar="TEXT", help=text)(function)


def attach_option(function: F) -> F:
    """Add `--attach`."""
    text = "An image, sound, PDF or text. Repeatable."
    return click.option("-a", "--attach", multiple=True, metavar="PATH|URL", type=kinds.FILE, help=text)(function)


def schema_option(function: F) -> F:
    """Add `--schema`."""
    return click.option(
        "--schema",
        metavar="FILE|JSON|FIELDS",
        type=kinds.FILE,
        help="Have the answer follow this JSON Schema, or be an object with these fields: 'name, age int: in years, "
        "tags str[]'. Types are str (if none is named), int, float and bool, [] makes a list, a description follows a "
        "colon; fields end at commas, or at line breaks where there are any.",
    )(function)


def usage_option(function: F) -> F:
    """Add `--usage`."""
    return click.option("--usage", is_flag=True, help="Write tokens and times to stderr afterwards.")(function)


def raw_option(function: F) -> F:
    """Add `--raw`."""
    return click.option("--raw", is_flag=True, help="With --json: add what the provider itself answered.")(function)


def parse_pairs(pairs: Iterable[str], flag: str) -> dict[str, Any]:
    """Read NAME=VALUE arguments; a value is JSON if it can be, else text."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise InvalidRequestError(f"{flag} {pair!r}: expected NAME=VALUE", hint=f"for example: {flag} name=value")
        values[name] = _json_or_text(text)
    return values


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def option_names(kind: Any) -> list[str]:
    """Return the names that `--option` knows for an option dict such as `ChatOptions`."""
    return sorted(set(kind.__annotations__) - {"approve", "extra", "key", "on_progress", "on_upload"})


def parse_options(kind: Any, pairs: Iterable[str], extra: Iterable[str]) -> dict[str, Any]:
    """Read the options of a call, checked against the names that its option dict has.

    Args:
        kind: The option dict, such as `ChatOptions`.
        pairs: What `--option` was given.
        extra: What `--extra` was given.
    """
    pairs = list(pairs)
    types = {name: getattr(kind.__annotations__[name], "__forward_arg__", "") for name in option_names(kind)}
    values = parse_pairs(pairs, "-o")
    for pair in pairs:
        name, _, text = pair.partition("=")
        if name not in types:
            near = did_you_mean(name, types)
            other = f"fields of the provider's own are given as -O {name}=…"
            raise InvalidRequestError(f"-o {name}: there is no such option", hint=f"{near} {other}" if near else other)
        # What has to be text stays text even if it looks like a number.
        if types[name].startswith("str") and not isinstance(values[name], str | list):
            values[name] = text
    own = parse_pairs(extra, "-O")
    return {**values, "extra": own} if own else values


def parse_schema(text: str) -> JsonSchema:
    """Read a JSON Schema from a file, or from the argument itself if it is JSON or the short form of one."""
    source = "--schema"
    if not text.strip():
        raise InvalidRequestError(f"{source}: it is empty", hint="give fields ('name, age int'), a file, or JSON")
    if not text.lstrip().startswith("{"):
        from .short_schema import is_short, schema_of  # noqa: PLC0415 - few calls ask for a schema

        if is_short(text) and not _is_file(text):
            return JsonSchema(schema=schema_of(text))
        source = f"--schema {text}"
        try:
            text = Path(text).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            hint = "a single field is written with its type, as in 'name str'"
            raise InvalidRequestError(f"{source}: cannot read the file: {reason}", hint=hint) from None
    try:
        schema = json.loads(text)
    except ValueError as error:
        raise InvalidRequestError(f"{source}: not valid JSON: {error}") from None
    if not isinstance(schema, Mapping):
        raise InvalidRequestError(f"{source}: a JSON Schema is an object")
    return JsonSchema(schema=schema)


def _is_file(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):  # too long for a name, or with a null byte
        return False


def attachment(where: str) -> Image | Audio | Document:
    """Make a message part of a file, whose content tells what it is, or of a URL, whose ending does."""
    if where.startswith(("http://", "https://")):
        return _remote(where)
    try:
        (part,) = Message.user(Path(where)).content
    except InvalidValueError as error:
        raise InvalidRequestError(f"--attach {where}: {str(error).rpartition(': ')[2]}") from None
    if not isinstance(part, Image | Audio | Document) or part.media_type is None:
        message = f"--attach {where}: neither an image, nor sound, nor PDF, nor text"
        raise InvalidRequestError(message, hint="text has to be UTF-8")
    return part


def _remote(url: str) -> Image | Audio | Document:
    path = urlsplit(url).path
    guessed = mimetypes.guess_type(path)[0]
    if guessed is None or guessed.startswith("image/"):
        return Image(url=url)
    if guessed.startswith("audio/"):
        return Audio(url=url, media_type=guessed)
    return Document(url=url, name=PurePosixPath(path).name, media_type=guessed)


def stdin_is_terminal() -> bool:
    """Return whether there is somebody to ask, and therefore nothing to read."""
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def read_stdin() -> str:
    """Return what is piped in, without its last line break; empty if stdin is a terminal."""
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        return ""
    try:
        text = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidRequestError("stdin is not UTF-8 text", hint="attach other files: -a FILE") from None
    return text.removesuffix("\n").removesuffix("\r")


def with_stdin(words: Iterable[str]) -> str:
    """Join what is piped in and what stands on the command line, an empty line between them."""
    return "\n\n".join([text for text in (read_stdin(), " ".join(words)) if text.strip()])


def texts_or_lines(texts: Iterable[str]) -> list[str]:
    """Return the texts of the command line, else the lines that are piped in, but empty ones."""
    found = list(texts) or [line for line in read_stdin().splitlines() if line.strip()]
    if not found:
        raise InvalidRequestError("there are no texts", hint='give them as arguments ("…") or pipe lines in')
    return found


def check_model(model: str | None, default: str | None, command: str) -> None:
    """Refuse a call for which no model is named."""
    if model is None and default is None:
        raise InvalidRequestError(
            "no model is named",
            hint=f"run: ipfs-accel {command} -m ENDPOINT/MODEL …, or set default_model in the configuration "
            "(ipfs-accel config edit); ipfs-accel models lists models",
        )
