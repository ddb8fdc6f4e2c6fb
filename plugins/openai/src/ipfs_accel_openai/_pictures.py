"""How many tokens a picture costs: by tiles of 512 pixels for older models, by patches of 32 for newer ones."""

from __future__ import annotations

import math
import re

import attrs
from ipfs_accel.types import Image
from ipfs_accel.wire.pictures import size_of

__all__ = ["bounds_of", "image_tokens"]

# (pattern, tokens whatever the size, tokens a tile)
_TILED: tuple[tuple[str, int, int], ...] = (
    (r"gpt-4o-mini", 2833, 5667),
    (r"gpt-4o|gpt-4\.1(?!-mini)", 85, 170),
    (r"gpt-5(?:\.1)?(?:-|$)", 70, 140),
    (r"o1|o3", 75, 150),
)
# (pattern, factor, longest side, patches): the last two for the closest look
_PATCHED: tuple[tuple[str, float, int, int], ...] = (
    (r"gpt-4\.1-mini", 1.62, 2048, 6144),
    (r"gpt-5\.2", 1.2, 2048, 6144),
    (r"gpt-5\.4|gpt-5\.5", 1.2, 6000, 10_000),
)
_FACTOR = 1.2
_UNKNOWN = (1024, 1024)
_PATCH, _TILE, _SQUARE, _SHORT = 32, 512, 2048, 768
_HIGH = (2048, 2500)
_LOW = (512, 256)
_ORIGINAL = re.compile(r"gpt-5\.[56]|gpt-6-astra")


def image_tokens(image: Image, model: str) -> int:
    """Return the tokens of a picture; one whose size is not known counts as 1024 by 1024 pixels."""
    width, height = (size_of(image.data) if image.data is not None else None) or _UNKNOWN
    for pattern, base, tile in _TILED:
        if re.match(pattern, model):
            return base if image.detail == "low" else base + tile * _tiles(width, height)
    known = next(((factor, side, most) for pattern, factor, side, most in _PATCHED if re.match(pattern, model)), None)
    factor, *limits = known or (_FACTOR, math.inf, math.inf)
    side, most = limits
    detail = image.detail or "auto"
    if detail == "low":
        side, most = _LOW
    elif detail == "high" or (detail == "auto" and known is None and not _ORIGINAL.match(model)):
        side, most = _HIGH
    return math.ceil(_patches(width, height, side, most) * factor)


def bounds_of(image: Image, model: str) -> tuple[int, int] | None:
    """Return the tokens of a picture at least and at most; None if its size or the model's rule is not known."""
    rules = [pattern for pattern, *_ in _TILED] + [pattern for pattern, *_ in _PATCHED]
    is_known = any(re.match(pattern, model) for pattern in rules)
    if image.data is None or size_of(image.data) is None or not is_known:
        return None
    details = ("low", "high", "auto") if image.detail in {None, "auto"} else (image.detail,)
    counts = [image_tokens(attrs.evolve(image, detail=detail), model) for detail in details]
    return min(counts), max(counts)


def _tiles(width: int, height: int) -> int:
    scale = min(1.0, _SQUARE / max(width, height))
    scale *= min(1.0, _SHORT / (min(width, height) * scale))
    return math.ceil(width * scale / _TILE) * math.ceil(height * scale / _TILE)


def _patches(width: float, height: float, side: float, most: float) -> int:
    scale = min(1.0, side / max(width, height))
    width, height = width * scale, height * scale
    count = math.ceil(width / _PATCH) * math.ceil(height / _PATCH)
    return int(min(count, most))
