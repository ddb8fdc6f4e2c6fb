"""Contents of Gemini's requests, read as messages of ours."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.types import Audio, Document, Image, Message, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from ipfs_accel.wire import keepsakes

from ._gemini import camel, listed, refuse

__all__ = ["instruction", "messages"]

_CONTENT = {"text", "thought", "inlineData", "fileData", "functionCall", "functionResponse"}
_SINGLE = ({"output"}, {"result"}, {"error"})
# What clients send in place of a signature for calls that no model of Google's made, as it is or in base64.
_STAND_INS = {"skip_thought_signature_validator", "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="}
_LEVEL = "MEDIA_RESOLUTION_"


def instruction(value: Any) -> list[Message]:
    """Return what stands above the conversation."""
    if isinstance(value, str):
        return [Message.system(value)]
    content = camel(value, "systemInstruction")
    parts = [camel(each, "systemInstruction.parts").get("text") for each in _parts(content, "systemInstruction")]
    if not all(isinstance(each, str) for each in parts):
        refuse("systemInstruction.parts", "only texts may stand here")
    return [Message(role="system", content=[Text(text=text) for text in parts if text])] if any(parts) else []


def messages(value: Any) -> list[Message]:
    """Return the turns of a conversation.

    Raises:
        Refusal: Something of it is malformed; names its place.
    """
    if not isinstance(value, list) or not value:
        refuse("contents", "expected a list with at least one content")
    contents = [(camel(each, f"contents[{index}]"), f"contents[{index}]") for index, each in enumerate(value)]
    reader = _Reader()
    found: list[Message] = []
    # Google's SDK keeps each piece of a stream as a content of its own.
    for is_model, run in groupby(contents, lambda each: each[0].get("role") == "model"):
        turn = list(run)
        found += [reader.said(turn)] if is_model else [message for each in turn for message in reader.asked(*each)]
    return found


class _Reader:
    """Knows the calls that have no result yet, since results may name nothing but the tool."""

    def __init__(self) -> None:
        self._open: list[tuple[str, str]] = []

    def said(self, contents: Iterable[tuple[dict[str, Any], str]]) -> Message:
        """Read a model's turn."""
        self._open = []
        found: list[Part] = []
        for content, where in contents:
            self._read(content, where, found)
        return Message(role="assistant", content=_joined(found))

    def asked(self, content: Mapping[str, Any], where: str) -> Iterator[Message]:
        """Read a turn of the user: what tools gave back are messages of their own, which come first."""
        if content.get("role") not in (None, "user", "function"):
            refuse(f"{where}.role", "expected user or model")
        found: list[Part] = []
        self._read(content, where, found)
        results = [part for part in found if isinstance(part, ToolResult)]
        yield from [Message(role="tool", content=(result,)) for result in results]
        if len(results) < len(found) or not found:
            yield Message(role="user", content=[part for part in found if not isinstance(part, ToolResult)])

    def _read(self, content: Mapping[str, Any], where: str, found: list[Part]) -> None:
        for index, each in enumerate(_parts(content, where)):
            place = f"{where}.parts[{index}]"
            self._part(camel(each, place), place, found)

    def _part(self, part: dict[str, Any], where: str, found: list[Part]) -> None:
        kept = _kept(part)
        if kept is not None:
            place = f"{where}.thoughtSignature"
            remembered = [_remembered(each, place) for each in listed(kept.get("parts"), place)]
            is_thought = any(isinstance(each, Reasoning) for each in remembered)
            while is_thought and found and isinstance(found[-1], Reasoning) and found[-1].signature is None:
                found.pop()  # what was shown of it
            found += remembered
            del part["thoughtSignature"]
        if part.get("thoughtSignature") in _STAND_INS:
            del part["thoughtSignature"]
        own = {name: each for name, each in part.items() if name not in _CONTENT}
        if not part.keys() & (_CONTENT - {"thought"}):
            if own:
                found.append(Opaque(backend="gemini", data=part))
            return
        extra = None if kept is None else kept.get("call")
        found += self._said(part, where, own, extra if isinstance(extra, Mapping) else {})
        if own:
            found.append(Opaque(backend="gemini", data=own if part.get("text") != "" else {"text": "", **own}))

    def _said(
        self, part: Mapping[str, Any], where: str, own: dict[str, Any], extra: Mapping[str, Any]
    ) -> Iterator[Part]:
        """Return what a part says; what of its own fields is understood is taken out of them."""
        if "functionCall" in part:
            yield self._call(camel(part["functionCall"], f"{where}.functionCall"), f"{where}.functionCall", extra)
        elif "functionResponse" in part:
            yield self._result(camel(part["functionResponse"], f"{where}.functionResponse"), where)
        elif "inlineData" in part or "fileData" in part:
            yield _medium(part, where, own)
        elif not isinstance(part.get("text"), str):
            refuse(f"{where}.text", "expected a text")
        elif part["text"]:
            yield Reasoning(text=part["text"]) if part.get("thought") else Text(text=part["text"])

    def _call(self, call: Mapping[str, Any], where: str, extra: Mapping[str, Any]) -> ToolCall:
        name, arguments = call.get("name"), call.get("args")
        if not isinstance(name, str):
            refuse(f"{where}.name", "expected a text")
        if arguments is not None and not isinstance(arguments, Mapping):
            refuse(f"{where}.args", "expected an object")
        made = str(call.get("id") or f"call_{len(self._open)}")
        self._open.append((str(name), made))
        text = strict_json.dumps(arguments).decode() if arguments else ""
        return ToolCall(id=made, name=str(name), arguments=text, extra=extra)

    def _result(self, result: Mapping[str, Any], where: str) -> ToolResult:
        where = f"{where}.functionResponse"
        name, response = result.get("name"), result.get("response") or {}
        if not isinstance(response, Mapping):
            refuse(f"{where}.response", "expected an object")
        found = result.get("id") or next((each for tool, each in self._open if tool == name), None)
        if found is None:
            refuse(f"{where}.name", f"no call of {name!r} before it is without a result")
        self._open = [(tool, each) for tool, each in self._open if each != found]
        inner = next(iter(response.values())) if response.keys() in _SINGLE else response
        text = inner if isinstance(inner, str) else strict_json.dumps(inner).decode()
        media = [
            _medium(camel(each, f"{where}.parts[{index}]"), f"{where}.parts[{index}]", {})
            for index, each in enumerate(_parts(result, where))
        ]
        said = [Text(text=text), *media] if text or not media else media
        return ToolResult(tool_call_id=str(found), content=said, is_error=response.keys() == {"error"})


def _joined(parts: Iterable[Part]) -> list[Part]:
    """Return parts with the pieces of a text, or of a visible thought, as one."""
    found: list[Part] = []
    for part in parts:
        last = found[-1] if found else None
        if isinstance(part, Text) and isinstance(last, Text):
            found[-1] = Text(text=last.text + part.text)
        elif isinstance(part, Reasoning) and isinstance(last, Reasoning) and not _has_origin(part, last):
            found[-1] = Reasoning(text=last.text + part.text)
        else:
            found.append(part)
    return found


def _has_origin(*thoughts: Reasoning) -> bool:
    return any(each.signature or each.field for each in thoughts)


def _parts(content: Mapping[str, Any], where: str) -> list[Any]:
    return listed(content.get("parts"), f"{where}.parts")


def _medium(part: Mapping[str, Any], where: str, own: dict[str, Any]) -> Any:
    """Return a picture, a sound or a document; how closely to look at it is taken out of the part's own fields."""
    is_inline = "inlineData" in part
    where = f"{where}.{'inlineData' if is_inline else 'fileData'}"
    given = camel(part.get("inlineData" if is_inline else "fileData"), where)
    media_type = given.get("mimeType")
    family = {"image": Image, "audio": Audio}.get(str(media_type).partition("/")[0], Document)
    fields: dict[str, Any] = {} if media_type is None else {"media_type": str(media_type)}
    level = str(camel(own.get("mediaResolution") or {}, f"{where}.mediaResolution").get("level"))
    if family is Image and level.startswith(_LEVEL):
        fields["detail"] = level.removeprefix(_LEVEL).lower()
        del own["mediaResolution"]
    if is_inline:
        return family(data=_bytes(given.get("data"), f"{where}.data"), **fields)
    uri = given.get("fileUri")
    if not isinstance(uri, str):
        refuse(f"{where}.fileUri", "expected a text")
    # Files that Google keeps are to nobody else what a URL says.
    is_googles = not str(uri).startswith(("https://", "http://")) or "generativelanguage.googleapis.com/" in str(uri)
    return family(**{"file_id" if is_googles else "url": uri}, **fields)


def _bytes(value: Any, where: str) -> bytes:
    try:
        return b64decode(str(value).replace("-", "+").replace("_", "/"), validate=True)
    except ValueError:
        return bytes(refuse(where, "it is not base64"))


def _kept(part: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what an answer of ours put into a signature; None for one of Google's."""
    signature = part.get("thoughtSignature")
    if not isinstance(signature, str):
        return None
    try:
        return keepsakes.read(b64decode(signature.replace("-", "+").replace("_", "/")).decode("ascii"))
    except ValueError:
        return None


def _remembered(value: Any, where: str) -> Part:
    """Return a part that an answer of ours had clients keep."""
    given = camel(value, where)
    backend, data = given.get("backend"), given.get("data")
    if isinstance(backend, str) and isinstance(data, Mapping):
        return Opaque(backend=backend, data=data)
    texts = {name: given.get(name) for name in ("text", "signature", "field")}
    if backend is not None or not all(each is None or isinstance(each, str) for each in texts.values()):
        refuse(where, "it was changed on its way")
    return Reasoning(text=texts["text"] or "", signature=texts["signature"], field=texts["field"])
