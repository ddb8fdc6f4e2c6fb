"""What Google publishes of how Gemini counts pictures."""

from __future__ import annotations

import re

from ipfs_accel.hookspecs import TokenRules
from ipfs_accel.types import Audio, Document, Image
from ipfs_accel.wire.pictures import size_of

__all__ = ["rules"]

_VERSION = re.compile(r"gemini-(\d+)")
_TILED = 2
# By the resolution that is asked for, from low to ultra_high, whatever the size.
_BY_RESOLUTION = (280, 2240)
_SMALL, _TILE = 384, 258


def rules(model: str) -> TokenRules:
    """Return what is known of how a model counts."""
    version = _VERSION.match(model.rpartition("/")[2])
    if version is None:
        return TokenRules()
    return TokenRules(media=_tiled if int(version[1]) <= _TILED else _resolved)


def _resolved(part: Image | Audio | Document) -> tuple[int, int] | None:
    return _BY_RESOLUTION if isinstance(part, Image) else None


def _tiled(part: Image | Audio | Document) -> tuple[int, int] | None:
    """Return one tile for small pictures; into how many others are cut depends on more than is published."""
    size = size_of(part.data) if isinstance(part, Image) and part.data is not None else None
    return (_TILE, _TILE) if size is not None and max(size) <= _SMALL else None
