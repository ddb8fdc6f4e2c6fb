"""As `texts`, for whatever is sent as a file."""

from __future__ import annotations

from typing import Any

from ipfs_accel.types import Upload

from .messages import checked_media

__all__ = ["upload"]


def upload(source: Any, field: str, name: str | None = None) -> Upload:
    """Accept a path, bytes or a medium; nothing but the first bytes of a file is read now."""
    return Upload.of(checked_media(source, field), field, name)
