"""Rows in a file of JSON lines or of CSV: where each begins and ends, what is in it, and its id."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from typing import IO, Any

from ipfs_accel import strict_json
from ipfs_accel.errors import InvalidRequestError

__all__ = ["header_of", "id_of", "read", "records", "split"]

_ID_FIELDS = ("custom_id", "id")
_BOM = b"\xef\xbb\xbf"


def header_of(file: IO[bytes], form: str) -> bytes:
    """Read what stands above the rows, a CSV's names of columns, and return it; the file is at the first row then."""
    if form == "jsonl":
        return b""
    return next(records(file, form), b"")


def records(file: IO[bytes], form: str) -> Iterator[bytes]:
    """Yield the rows' bytes with their line ends, blank lines included; in CSV a row may have several lines."""
    if form == "jsonl":
        yield from file
        return
    record, quotes = b"", 0
    for line in file:
        record = record + line if record else line
        quotes += line.count(b'"')
        if not quotes % 2:
            yield record
            record, quotes = b"", 0
    if record:
        yield record


def split(data: bytes, form: str) -> list[bytes]:
    """Return the rows of a shard, without blank lines."""
    return [each for each in records(io.BytesIO(data), form) if each.strip()]


def read(record: bytes, form: str, header: bytes) -> Any:
    """Return what is in a row: of CSV the columns by their names, of JSON whatever it is.

    Raises:
        InvalidRequestError: It is not of its form.
    """
    if form == "jsonl":
        try:
            return strict_json.loads(record)
        except (ValueError, RecursionError) as error:
            raise InvalidRequestError(f"the row is not valid JSON: {error}") from None
    try:
        names, values = (_cells(each) for each in (header, record))
    except (ValueError, csv.Error) as error:
        raise InvalidRequestError(f"the row is not valid CSV: {error}") from None
    if len(names) != len(values):
        raise InvalidRequestError(f"the row has {len(values)} columns, and the first line names {len(names)}")
    return dict(zip(names, values, strict=True))


def _cells(record: bytes) -> list[str]:
    text = record.removeprefix(_BOM).decode("utf-8")
    return next(csv.reader(io.StringIO(text, newline=""), strict=True), [])


def id_of(row: Any, record: bytes, number: int) -> tuple[str | None, str]:
    """Return the field in which a row has its id, and the id; one without has the hash of its bytes and of its place.

    Args:
        row: What is in it; None if it cannot be read.
        record: Its bytes.
        number: Its place in the input, from 1.
    """
    if isinstance(row, dict):
        for name in _ID_FIELDS:
            value = row.get(name)
            if isinstance(value, int) and not isinstance(value, bool):
                return name, str(value)
            if isinstance(value, str) and value:
                return name, value
    content = hashlib.blake2b(record.strip(), digest_size=8, salt=number.to_bytes(16, "big")).hexdigest()
    return None, content
