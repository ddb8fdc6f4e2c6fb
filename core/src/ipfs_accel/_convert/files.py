"""As `texts`, for whatever is sent as a file."""

from __future__ import annotations

from typing import Any

from ipfs_accel.types import Upload

from .messages import checked_media

__all__ = ["upload"]


def upload(source: Any, field: str, name: str | None = None) -> Upload:
    """Accept a path, bytes, an open file or a medium; of a path nothing but the first bytes is read now."""
    return Upload.of(checked_media(source, field), field, name)
