"""Rows of a Parquet file as lines of JSON, which are what a run reads; by pyarrow, which the extra `parquet` brings."""

from __future__ import annotations

import datetime as dt
import decimal
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.installing import install_command

__all__ = ["copied", "fingerprint"]

_AT_ONCE = 1024
"""Rows that are in memory at once."""


def copied(source: Path, to: Path) -> None:
    """Write the rows of a file as lines of JSON.

    Raises:
        InvalidRequestError: pyarrow is not installed, or cannot read it, or a column has what JSON has no form for.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.parquet as pq  # noqa: PLC0415 - as above
    except ImportError:
        hint = f"run: {install_command('ipfs-accel[parquet]')}"
        raise InvalidRequestError(f"{source}: Parquet is read by pyarrow, which is not installed", hint=hint) from None
    encode = json.JSONEncoder(default=_plain, ensure_ascii=False).encode
    try:
        with pq.ParquetFile(source) as file, to.open("wb") as out:
            for batch in file.iter_batches(batch_size=_AT_ONCE):
                lines = [encode(row).encode("utf-8", "surrogatepass") for row in batch.to_pylist()]
                out.write(b"\n".join([*lines, b""]))
            out.flush()
            os.fsync(out.fileno())
    except pa.ArrowException as error:
        raise InvalidRequestError(f"{source}: it is no Parquet that can be read: {error}") from None


def _plain(value: Any) -> Any:
    """Return a cell as JSON has it."""
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal | dt.timedelta):
        return str(value)
    raise InvalidRequestError(f"a column has {type(value).__name__}, which no request can have")


def fingerprint(source: Path) -> str:
    """Return a hash of a file."""
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
