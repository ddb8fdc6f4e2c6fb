"""Documents that are text, for servers that take no documents: as text of the message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import Document, Part, Text
from ipfs_accel.types._messages import is_text

__all__ = ["as_text", "text_of", "with_texts"]


def text_of(part: Document) -> str | None:
    """Return what a document says if it is text, which its content tells; None for a PDF, or one that is elsewhere.

    Raises:
        InvalidRequestError: It is said to be text and is not UTF-8, or has null bytes, as other encodings do.
    """
    kind, data = part.media_type or "", part.data
    if data is None or kind == "application/pdf" or not (kind.startswith("text/") or is_text(data)):
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        why = "is not UTF-8"
    else:
        if "\0" not in text:
            return text
        why = "has null bytes in it, as UTF-16 does"
    raise InvalidRequestError(
        f"document: {part.name or 'it'} is said to be {kind}, and {why}", hint="convert it to UTF-8"
    )


def as_text(part: Document) -> Text | None:
    """Return a document that is text as text of a message, between tags that tell its name; None for another.

    It begins and ends lines of its own, whatever text stands beside it.

    Raises:
        InvalidRequestError: As for `text_of`.
    """
    text = text_of(part)
    if text is None:
        return None
    name = "" if part.name is None else f' name="{escape(part.name)}"'
    end = "" if text.endswith("\n") else "\n"
    return Text(text=f"\n<document{name}>\n{text}{end}</document>\n")


def with_texts(parts: Iterable[Part]) -> Sequence[Part]:
    """Return parts with each document that is text as text, in one piece if all of them are text then.

    Servers that take text alone take it as one string. Call it only for parts among which a document is.

    Raises:
        InvalidRequestError: As for `text_of`.
    """
    found = [(as_text(part) or part) if isinstance(part, Document) else part for part in parts]
    texts = [part.text for part in found if isinstance(part, Text)]
    return [Text(text="".join(texts))] if len(texts) == len(found) else found
