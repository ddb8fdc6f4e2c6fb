"""What a picture's first bytes tell."""

from __future__ import annotations

import struct

__all__ = ["size_of"]


def size_of(data: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels as a PNG, GIF, JPEG or WebP file tells them, or None."""
    try:
        if data.startswith(b"\x89PNG"):
            width, height = struct.unpack_from(">II", data, 16)
        elif data.startswith(b"GIF8"):
            width, height = struct.unpack_from("<HH", data, 6)
        elif data.startswith(b"\xff\xd8"):
            return _jpeg(data)
        elif data[8:12] == b"WEBP":
            return _webp(data)
        else:
            return None
    except struct.error:
        return None
    return (width, height) if width and height else None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """Walk over the segments to the frame header, which has the size."""
    position = 2
    while position + 9 <= len(data) and data[position] == 0xFF:  # noqa: PLR2004 - the mark of a segment
        kind, length = data[position + 1], struct.unpack_from(">H", data, position + 2)[0]
        if 0xC0 <= kind <= 0xCF and kind not in {0xC4, 0xC8, 0xCC}:  # noqa: PLR2004 - the frame headers
            height, width = struct.unpack_from(">HH", data, position + 5)
            return (width, height) if width and height else None
        position += 2 + length
    return None


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X" and len(data) >= 30:  # noqa: PLR2004 - where the size ends
        return (1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little"))
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return (width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return (1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    return None
