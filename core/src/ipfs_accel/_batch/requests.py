"""From a row to a call: its main argument and its options, by the row's own form or by a template."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ipfs_accel._suggest import did_you_mean, short
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import ChatOptions, CompleteOptions, EmbedOptions
from ipfs_accel.types._options import CallOptions

from .settings import Settings

__all__ = ["Asked", "asker"]

Asked = tuple[str | None, Any, dict[str, Any]]
"""The model, the main argument and the options of a call."""

_PLACE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_URLS = {"/v1/chat/completions": "chat", "/v1/completions": "complete", "/v1/embeddings": "embed"}
# What stands beside the main argument and is no option.
_BESIDE = frozenset({"id", "custom_id", "model"})
_OF_NO_ROW = frozenset({"cache", "key", "on_progress", "on_upload", "priority", "timeout"})
"""Options that are the caller's alone."""
_MAIN: dict[str, tuple[str, ...]] = {
    "chat": ("messages", "prompt"),
    "complete": ("prompt",),
    "embed": ("input", "inputs", "text"),
    "rerank": ("documents",),
    "classify": ("input", "inputs", "text"),
}
_KINDS: dict[str, Any] = {"chat": ChatOptions, "complete": CompleteOptions, "embed": EmbedOptions}


def asker(settings: Settings) -> Callable[[Any], Asked]:
    """Return what makes calls of rows."""
    operation = settings.operation
    options = {**settings.options, **settings.passed}
    known = frozenset(_KINDS.get(settings.operation, CallOptions).__annotations__) - _OF_NO_ROW
    if settings.template is not None:
        pieces = _pieces(settings.template)

        def fill(row: Any) -> Asked:
            text = _filled(pieces, row)
            return settings.model, _with_system(settings, text), dict(options)

        return fill

    def take(row: Any) -> Asked:
        body = _body(row, operation)
        value, used = _main(body, settings)
        own = _options(body, used, known, operation, is_body=body is not row and isinstance(row, Mapping))
        return _model(settings.model, body), value, {**options, **own}

    return take


def _pieces(template: str) -> list[tuple[str, str | None]]:
    """Return a template as texts, each with the name of the field that follows it.

    Raises:
        InvalidRequestError: A brace in it is neither a field's nor doubled, or there is no field at all.
    """
    pieces: list[tuple[str, str | None]] = []
    text, end = "", 0
    for found in _PLACE.finditer(template):
        text += template[end : found.start()]
        end = found.end()
        whole, name = found.group(0), found.group(1)
        if whole in {"{{", "}}"}:
            text += whole[0]
        elif name:
            pieces.append((text, name))
            text = ""
        else:
            raise InvalidRequestError(
                f"template: the brace at character {found.start() + 1} is of no field",
                hint="a field is written {name}, and a brace that is to stand there as it is, twice: {{ or }}",
            )
    if not pieces:
        raise InvalidRequestError("template: it names no field of a row", hint="a field is written {name}")
    return [*pieces, (text + template[end:], None)]


def _filled(pieces: list[tuple[str, str | None]], row: Any) -> str:
    if not isinstance(row, Mapping):
        raise InvalidRequestError(f"template: expected a row with fields, got {short(row)}")
    done = []
    for text, name in pieces:
        done.append(text)
        if name is None:
            continue
        if name not in row:
            raise InvalidRequestError(f"template: the row has no field {name!r}", hint=did_you_mean(name, row))
        value = row[name]
        done.append(value if isinstance(value, str) else _written(value))
    return "".join(done)


def _written(value: Any) -> str:
    from ipfs_accel import strict_json  # noqa: PLC0415 - most fields are texts

    return strict_json.dumps(value).decode()


def _with_system(settings: Settings, messages: Any) -> Any:
    if settings.system is None:
        return messages
    several = messages if isinstance(messages, list) else [{"role": "user", "content": messages}]
    return [{"role": "system", "content": settings.system}, *several]


def _body(row: Any, operation: str) -> Mapping[str, Any]:
    """Return what a row asks for: of OpenAI's batch form the body, of a text a row with that alone."""
    if isinstance(row, str):
        return {_MAIN[operation][-1]: row}
    if not isinstance(row, Mapping):
        raise InvalidRequestError(f"expected an object or a text, got {short(row)}")
    if "body" not in row:
        return row
    url, body = row.get("url"), row["body"]
    if url is not None and _URLS.get(url) != operation:
        raise InvalidRequestError(f"url: {short(url)} is not what this run asks for, which is {operation}")
    if not isinstance(body, Mapping):
        raise InvalidRequestError(f"body: expected an object, got {short(body)}")
    return body


def _main(body: Mapping[str, Any], settings: Settings) -> tuple[Any, tuple[str, ...]]:
    """Return the main argument of a call, and the names of the fields that it is made of."""
    operation = settings.operation
    name = next((each for each in _MAIN[operation] if each in body), None)
    if name is None:
        wanted = " or ".join([repr(each) for each in _MAIN[operation]])
        raise InvalidRequestError(f"the row has no {wanted}", hint="or give a template for its fields")
    value = body[name]
    if operation == "rerank":
        if "query" not in body:
            raise InvalidRequestError("the row has no 'query'")
        return (body["query"], value, body.get("top_n")), (name, "query", "top_n")
    if operation == "chat":
        value = _with_system(settings, value)
    return value, (name,)


def _model(model: str | None, body: Mapping[str, Any]) -> str | None:
    """Return whom a row asks: a run that names an endpoint alone leaves the model to its rows."""
    own = body.get("model")
    return f"{model}{own}" if own and model is not None and model.endswith("/") else model


def _options(
    body: Mapping[str, Any], used: tuple[str, ...], known: frozenset[str], operation: str, *, is_body: bool
) -> dict[str, Any]:
    """Return the options that a row has beside; in OpenAI's form, what is no option of ours goes along as it is."""
    rest = {
        name: value for name, value in body.items() if name not in _BESIDE and name not in used and value is not None
    }
    if not rest:
        return rest
    if "max_completion_tokens" in rest:
        rest["max_tokens"] = rest.pop("max_completion_tokens")
    choice = rest.get("tool_choice")
    if isinstance(choice, Mapping):
        rest["tool_choice"] = choice.get("function", choice).get("name")
    own = {name: value for name, value in rest.items() if name in known}
    extra = {name: value for name, value in rest.items() if name not in known}
    if extra and not is_body:
        name = min(extra)
        hint = did_you_mean(name, known) or f"make the request of a row's fields by a template, such as '{{{name}}}'"
        raise InvalidRequestError(f"{name}: {operation} has no such option", hint=hint)
    return {**own, "extra": {**own.get("extra", {}), **extra}} if extra else own
