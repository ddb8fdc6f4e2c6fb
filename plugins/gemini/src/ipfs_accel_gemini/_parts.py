"""Parts of messages to the API's JSON, and what an answer's parts say beside their content.

A part of the API may carry fields beside its content, above all the signature of the thoughts that led to it, which has
to be sent back with just this part. Our typed parts have no place for them: they stand in an `Opaque` of their own
that follows the part and has no content.
"""

from __future__ import annotations

import base64
import mimetypes
import re
from collections.abc import Callable, Mapping
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.errors import InvalidRequestError, InvalidResponseError
from ipfs_accel.types import (
    Audio,
    Document,
    Image,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from ipfs_accel.wire.documents import text_of

from ._fields import Json
from ._rules import Rules

__all__ = ["decoded", "media", "own_fields", "part", "parts_of"]

_CONTENT = {
    *("text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult"),
    *("toolCall", "toolResponse"),
}
# An id that was made because the model gave none; it is not sent.
_MADE_ID = re.compile(r"call_\d+")
_FILES = "https://generativelanguage.googleapis.com/v1beta/"
# What the models look at, as Google's pages on pictures and documents say.
_PICTURES = {"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"}
_TEXTS = {
    *("application/json", "application/xml", "application/rtf", "application/javascript"),
    *("application/x-javascript", "application/x-python", "application/yaml", "application/x-yaml"),
}
MAX_PDF_BYTES = 50 * 1024**2
_LEVELS = {"low", "medium", "high", "ultra_high"}
# The documented stand-in for a signature, for calls that another model made.
_UNSIGNED = "skip_thought_signature_validator"


def part(content: Part, **fields: Any) -> Opaque:
    """Write a part with fields that only Gemini has.

    For example `part(Document(url="https://youtu.be/…", media_type="video/mp4"), videoMetadata={"fps": 1})`.

    Raises:
        InvalidRequestError: There is nothing in the part that Gemini takes.
    """
    made = _part(content, Rules(), _no_name)
    if made is None:
        raise InvalidRequestError(f"{type(content).__name__}: there is nothing in it that Gemini takes")
    return Opaque(backend="gemini", data={**made, **fields})


def _no_name(result: ToolResult) -> str:
    raise InvalidRequestError(f"tool_call_id: {result.tool_call_id!r} is no call of a message before")


def own_fields(value: Any) -> Json:
    """Return what a part of an answer says beside its content and has to be sent back with it."""
    if not isinstance(value, dict):
        raise InvalidResponseError(f"a part of the answer is a JSON {type(value).__name__} instead of an object")
    own = {name: each for name, each in value.items() if name not in _CONTENT and name != "thought"}
    return {"thought": True, **own} if own and value.get("thought") else own


def decoded(data: Mapping[str, Any]) -> bytes:
    """Return the bytes of an `inlineData`."""
    return base64.b64decode(str(data.get("data") or ""), altchars=b"-_" if _is_url_safe(data) else None, validate=True)


def _is_url_safe(data: Mapping[str, Any]) -> bool:
    return not {"-", "_"}.isdisjoint(str(data.get("data")))


def parts_of(message: Message, rules: Rules, name_of: Callable[[ToolResult], str]) -> list[Json]:
    """Write a message's parts; what says nothing or was another provider's is left out (empty text is refused)."""
    made: list[Json] = []
    for each in message.content:
        if isinstance(each, Opaque) and each.backend == "gemini" and _CONTENT.isdisjoint(each.data):
            if made:
                made[-1].update(each.data)
            continue
        written = _part(each, rules, name_of)
        if written is not None:
            made.append(written)
    # Without its signature a thought is only a summary for people.
    kept = [each for each in made if not each.get("thought") or "thoughtSignature" in each]
    if rules.signed_calls and message.role == "assistant":
        _sign(kept)
    return kept


def _sign(parts: list[Json]) -> None:
    """Give the first call of a step the stand-in if it came without a signature; the API refuses it otherwise."""
    first = next((each for each in parts if "functionCall" in each), None)
    if first is not None:
        first.setdefault("thoughtSignature", _UNSIGNED)


def _part(each: Part, rules: Rules, name_of: Callable[[ToolResult], str]) -> Json | None:
    if isinstance(each, Text | Refusal):
        return {"text": each.text} if each.text else None
    if isinstance(each, Image | Audio | Document):
        return media(each, rules)
    if isinstance(each, ToolCall):
        return {"functionCall": _call(each)}
    if isinstance(each, ToolResult):
        return {"functionResponse": _result(each, rules, name_of(each))}
    if isinstance(each, Reasoning):
        # Our own signatures are never in this field: this one is another provider's.
        return None if each.signature or not each.text else {"text": each.text, "thought": True}
    return dict(each.data) if each.backend == "gemini" else None


def media(each: Image | Audio | Document, rules: Rules) -> Json:
    """Write a picture, a sound or a document."""
    if each.data is not None:
        kind = _checked(each, each.data)
        made: Json = {"inlineData": {"mimeType": kind, "data": each.base64()}}
    else:
        uri = each.url if each.url is not None else _uri(each.file_id or "")
        told = each.media_type or (mimetypes.guess_type(uri.partition("?")[0])[0] if each.url else None)
        made = {"fileData": {**({"mimeType": told} if told else {}), "fileUri": uri}}
    detail = each.detail if isinstance(each, Image) else None
    if detail in _LEVELS and rules.detail:
        made["mediaResolution"] = {"level": f"MEDIA_RESOLUTION_{detail.upper()}"}
    return made


def _checked(each: Image | Audio | Document, data: bytes) -> str:
    """Return of which type to send a medium as; refuse what the API would refuse after it was sent."""
    kind = each.media_type or ""
    if isinstance(each, Image) and kind not in _PICTURES:
        raise InvalidRequestError(f"image: Gemini takes PNG, JPEG, WebP, HEIC and HEIF, not {kind}")
    if isinstance(each, Document):
        if kind != "application/pdf" and not kind.startswith("text/") and kind not in _TEXTS:
            if text_of(each) is None:
                raise InvalidRequestError(
                    f"document: Gemini takes PDF and text, not {kind}", hint="convert it to one of them"
                )
            return "text/plain"
        if kind == "application/pdf" and len(data) > MAX_PDF_BYTES:
            raise InvalidRequestError(
                f"document: it has {len(data)} bytes, and Gemini takes PDF files of {MAX_PDF_BYTES} in a request",
                hint="upload it with upload_file, and give its file_id",
            )
    return kind


def _uri(file: str) -> str:
    """Return the URI of a file that the API keeps, from its URI, its name or its id."""
    if "://" in file:
        return file
    return _FILES + (file if file.startswith("files/") else f"files/{file}")


def _id(call: str) -> Json:
    return {} if _MADE_ID.fullmatch(call) or not call else {"id": call}


def _call(call: ToolCall) -> Json:
    try:
        arguments = call.parse_arguments()
    except ValueError as error:
        raise InvalidRequestError(f"tool_calls: Gemini takes arguments as an object: {error}") from None
    return {**_id(call.id), "name": call.name, "args": arguments}


def _result(result: ToolResult, rules: Rules, name: str) -> Json:
    """Write a tool's result, which has to be an object; pictures and documents go beside it."""
    text = "".join([each.text for each in result.content if isinstance(each, Text)])
    made = {
        **_id(result.tool_call_id),
        "name": name,
        "response": {"error" if result.is_error else "output": _value(text)},
    }
    beside = [media(each, rules) for each in result.content if not isinstance(each, Text)]
    return {**made, "parts": beside} if beside else made


def _value(text: str) -> Any:
    """Return the JSON object or array that a text is, or the text: as a string in a string the model reads it worse."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return strict_json.loads(text)
    except (ValueError, RecursionError):
        return text
