"""Bodies that are forms (multipart/form-data, RFC 7578): their texts and files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ._reader import Bad

if TYPE_CHECKING:
    from email.message import Message

__all__ = ["KIND", "File", "fields"]

KIND = "multipart/form-data"
_MOST_PARTS = 64
_HEAD = 8 * 1024


class File(NamedTuple):
    """A file of a form."""

    name: str
    media_type: str | None
    data: bytes


def fields(body: bytes, kind: str) -> dict[str, Any]:
    """Return a form by the names of its fields: texts, files, and lists of texts where a name ends with `[]`.

    Args:
        body: Of the request.
        kind: Its content-type.

    Raises:
        Bad: It is no whole form, or a name stands twice.
    """
    boundary = _headers(f"content-type: {kind}").get_boundary()
    if not boundary:
        raise Bad(400, "content-type: a form needs its boundary")
    border = b"\r\n--" + boundary.encode("latin-1", "replace")
    first, *parts = (b"\r\n" + body).split(border, _MOST_PARTS + 1)
    if first.strip() or not parts or len(parts) > _MOST_PARTS or not parts.pop().startswith(b"--"):
        raise Bad(400, "the body is no whole form")
    found: dict[str, Any] = {}
    for part in parts:
        _add(part, found)
    return found


def _add(part: bytes, found: dict[str, Any]) -> None:
    head, empty, content = part.partition(b"\r\n\r\n")
    headers = _headers(head[:_HEAD].decode("utf-8", "replace").strip())
    name = headers.get_param("name", header="content-disposition")
    if not empty or len(head) > _HEAD or not isinstance(name, str):
        raise Bad(400, "the form has a part without a name")
    file = headers.get_param("filename", header="content-disposition")
    if file is not None:
        said = headers.get("content-type")
        value: Any = File(str(file), None if said == "application/octet-stream" else said, content)
    else:
        try:
            value = content.decode()
        except UnicodeDecodeError:
            raise Bad(400, f"{name}: a text of the form is not UTF-8") from None
    if name.endswith("[]"):
        found.setdefault(name[:-2], []).append(value)
    elif name in found:
        raise Bad(400, f"{name}: the form says it more than once")
    else:
        found[name] = value


def _headers(text: str) -> Message:
    from email.message import Message  # noqa: PLC0415 - few bodies are forms

    found = Message()
    for line in text.splitlines():
        name, _, value = line.partition(":")
        found[name.strip()] = value.strip()
    return found
