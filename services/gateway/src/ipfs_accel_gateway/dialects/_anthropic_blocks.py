"""Blocks of Anthropic's messages, read as parts of ours."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import attrs
from ipfs_accel import strict_json
from ipfs_accel.types import Document, Image, Message, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from ipfs_accel.wire import keepsakes

from ipfs_accel_gateway._errors import Refusal

__all__ = ["Block", "assistant", "parts", "refuse", "text_of", "texts"]

Block: TypeAlias = Mapping[str, Any]

# What only Claude has a use for; so it is with all results of tools that its provider runs.
_CLAUDES = {"redacted_thinking", "server_tool_use", "mcp_tool_use", "container_upload", "compaction", "fallback"}
_IN_RESULTS = {"text", "image", "document", "search_result", "tool_reference"}


def refuse(where: str, why: str) -> Refusal:
    """Return the error for a place in the body."""
    return Refusal(400, "invalid_request", f"{where}: {why}", param=where)


def text_of(value: Block, name: str, where: str) -> str:
    """Return a member that has to be a text."""
    found = value.get(name)
    if not isinstance(found, str):
        raise refuse(f"{where}.{name}", "expected a text")
    return found


def texts(content: Any, where: str) -> list[Text]:
    """Return content that has nothing but texts."""
    found = parts(content, where, lenient=False)
    for index, part in enumerate(found):
        if not isinstance(part, Text):
            raise refuse(f"{where}.{index}.type", "only texts may stand here")
    return found  # type: ignore[return-value]


def parts(content: Any, where: str, *, lenient: bool) -> list[Part]:
    """Return the parts that content is.

    Raises:
        Refusal: Something of it is malformed, or wants citations, unless that is to be left out.
    """
    if isinstance(content, str):
        return [Text(text=content)] if content else []
    if not isinstance(content, list):
        raise refuse(where, "expected a text or a list of blocks")
    found: list[Part] = []
    for index, block in enumerate(content):
        found += _parts_of(block, f"{where}.{index}", lenient=lenient)
    return found


def assistant(content: Any, where: str, *, lenient: bool) -> Message:
    """Return a model's turn, with what its provider said beside put back to where it was.

    Claude Code has calls of tools last, so that what was said of one is found before it.
    """
    found: list[Part] = []
    extra: Mapping[str, Any] = {}
    of_calls: dict[str, Any] = {}
    behind: dict[str, list[Part]] = {}
    for part in parts(content, where, lenient=lenient):
        kept = _kept_in(part)
        if kept is None:
            found.append(part)
        elif "backend" in kept:
            own = Opaque(backend=kept["backend"], data=kept.get("data") or {})
            (found if kept.get("call") is None else behind.setdefault(str(kept["call"]), [])).append(own)
        elif "call" in kept:
            of_calls[str(kept["call"])] = kept.get("extra") or {}
        else:
            extra = kept.get("message") or {}
    if of_calls or behind:
        found = [each for part in found for each in _completed(part, of_calls, behind)]
    return Message(role="assistant", content=found, extra=extra)


def _completed(part: Part, of_calls: Mapping[str, Any], behind: Mapping[str, list[Part]]) -> list[Part]:
    """Return a part with what was said of it, if it is a call."""
    if not isinstance(part, ToolCall):
        return [part]
    extra = of_calls.get(part.id)
    return [part if extra is None else attrs.evolve(part, extra=extra), *behind.get(part.id, ())]


def _kept_in(part: Part) -> dict[str, Any] | None:
    """Return what a redacted thought of our own making holds."""
    if not isinstance(part, Opaque) or part.data.get("type") != "redacted_thinking":
        return None
    return keepsakes.read(str(part.data.get("data")))


def _parts_of(block: Any, where: str, *, lenient: bool) -> Iterator[Part]:
    if not isinstance(block, dict):
        raise refuse(where, "expected a block with a type")
    kind = block.get("type")
    if kind == "text":  # as most are
        text = text_of(block, "text", where)
        if text:
            yield Text(text=text, annotations=tuple(block.get("citations") or ()))
    elif kind in _READERS:
        yield from _READERS[kind](block, where, lenient)
    elif isinstance(kind, str) and (kind in _CLAUDES or kind.endswith("_tool_result")):
        yield Opaque(backend="claude", data=block)
    else:
        raise refuse(f"{where}.type", f"{kind!r} is no type of block that is known here")


def _thought(block: Block, where: str, _lenient: bool) -> Iterator[Part]:
    text, signature = text_of(block, "thinking", where), block.get("signature") or None
    kept = keepsakes.read(signature) if isinstance(signature, str) else None
    if kept is None:
        yield Reasoning(text=text, signature=signature)
    elif text:
        yield Reasoning(text=text, field=kept.get("field"))


def _call(block: Block, where: str, _lenient: bool) -> Iterator[Part]:
    given = block.get("input")
    if given is not None and not isinstance(given, dict):
        raise refuse(f"{where}.input", "expected an object")
    arguments = strict_json.dumps(given).decode() if given else ""
    yield ToolCall(id=text_of(block, "id", where), name=text_of(block, "name", where), arguments=arguments)


def _result(block: Block, where: str, lenient: bool) -> Iterator[Part]:
    content = block.get("content") or ()
    for index, each in enumerate(content if isinstance(content, list) else ()):
        if isinstance(each, dict) and each.get("type") not in _IN_RESULTS:
            raise refuse(f"{where}.content.{index}.type", f"{each.get('type')!r} is nothing that a tool gives back")
    said = parts(content, f"{where}.content", lenient=lenient) if content else []
    yield ToolResult(
        tool_call_id=text_of(block, "tool_use_id", where), content=said, is_error=bool(block.get("is_error"))
    )


def _image(block: Block, where: str, _lenient: bool) -> Iterator[Part]:
    where = f"{where}.source"
    source = _source(block, where)
    kind = source.get("type")
    if kind == "base64":
        yield Image(data=_data(source, where), media_type=text_of(source, "media_type", where))
    else:
        yield Image(**_elsewhere(source, kind, where))


def _document(block: Block, where: str, lenient: bool) -> Iterator[Part]:
    _check_citations(block, where, lenient=lenient)
    context, name, where = block.get("context"), block.get("title"), f"{where}.source"
    if isinstance(context, str) and context:
        yield Text(text=context)
    source = _source(block, where)
    kind = source.get("type")
    if kind == "base64":
        yield Document(data=_data(source, where), media_type=text_of(source, "media_type", where), name=name)
    elif kind == "text":
        data = text_of(source, "data", where).encode("utf-8", "surrogatepass")
        yield Document(data=data, media_type="text/plain", name=name)
    elif kind == "content":
        yield from parts(source.get("content"), f"{where}.content", lenient=lenient)
    else:
        yield Document(name=name, **_elsewhere(source, kind, where))


def _found(block: Block, where: str, lenient: bool) -> Iterator[Part]:
    """Read a result of a search, which the model is to read as a text with its title and its source."""
    _check_citations(block, where, lenient=lenient)
    said = texts(block.get("content"), f"{where}.content")
    head = f"{text_of(block, 'title', where)}\n{text_of(block, 'source', where)}"
    yield Text(text="\n\n".join([head, *[each.text for each in said]]))


def _reference(block: Block, where: str, _lenient: bool) -> Iterator[Part]:
    """Read what a search for tools found: the model has all of them."""
    yield Text(text=text_of(block, "tool_name", where))


_READERS: dict[Any, Callable[[Block, str, bool], Iterator[Part]]] = {
    "thinking": _thought,
    "tool_use": _call,
    "tool_result": _result,
    "image": _image,
    "document": _document,
    "search_result": _found,
    "tool_reference": _reference,
}


def _check_citations(block: Block, where: str, *, lenient: bool) -> None:
    wanted = block.get("citations")
    if isinstance(wanted, dict) and wanted.get("enabled") and not lenient:
        raise refuse(f"{where}.citations", "the model behind this name has none to give")


def _source(block: Block, where: str) -> Block:
    found = block.get("source")
    if not isinstance(found, dict):
        raise refuse(where, "expected an object with a type")
    return found


def _data(source: Block, where: str) -> bytes:
    try:
        return b64decode(text_of(source, "data", where), validate=True)
    except ValueError:
        raise refuse(f"{where}.data", "it is not base64") from None


def _elsewhere(source: Block, kind: Any, where: str) -> dict[str, Any]:
    if kind == "url":
        return {"url": text_of(source, "url", where)}
    if kind == "file":
        return {"file_id": text_of(source, "file_id", where)}
    raise refuse(f"{where}.type", f"{kind!r} is no type of source that is known here")
