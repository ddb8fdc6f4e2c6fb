"""What is known of how Claude counts its input. Its tokenizers are not public since Claude 3."""

from __future__ import annotations

import math

from ipfs_accel.hookspecs import TokenRules
from ipfs_accel.plans import Endpoint
from ipfs_accel.types import Audio, Document, Image
from ipfs_accel.wire.pictures import size_of

from ._rules import is_hosted

__all__ = ["rules"]

# The vendor: OpenAI's encodings give 15 to 20 % too few for text, and more for code; the tokenizer of the models from
# sonnet-5 on gives 30 % more than the one before.
_SCALE = (1.0, 1.6)
_PATCH, _PER_TOKEN = 28, 750
# Longest side in pixels and most tokens of a picture, of the models before 4.7 and of those since.
_OLDER, _NEWER = (1568, 1568), (2576, 4784)


def rules(endpoint: Endpoint, model: str) -> TokenRules:  # noqa: ARG001 - the bounds are those of all models
    """Return what is known of how a model counts."""
    return TokenRules(scale=_SCALE, media=_media) if is_hosted(endpoint) else TokenRules()


def _media(part: Image | Audio | Document) -> tuple[int, int] | None:
    """Bound the tokens of a picture by the oldest rule and the newest; pages of a PDF are counted by nobody here."""
    if not isinstance(part, Image):
        return None
    size = None if part.data is None else size_of(part.data)
    if size is None:
        return 1, _NEWER[1]
    width, height = _shrunk(size, _OLDER[0])
    least = min(math.floor(width * height / _PER_TOKEN), _patches(width, height), _OLDER[1])
    return max(1, least), min(_patches(*_shrunk(size, _NEWER[0])), _NEWER[1])


def _shrunk(size: tuple[int, int], side: int) -> tuple[float, float]:
    scale = min(1.0, side / max(size))
    return size[0] * scale, size[1] * scale


def _patches(width: float, height: float) -> int:
    return math.ceil(width / _PATCH) * math.ceil(height / _PATCH)
