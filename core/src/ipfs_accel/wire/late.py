"""Modules that only some calls of a plugin need, so that its package imports what its chats need and no more."""

from __future__ import annotations

from ipfs_accel._lazy import late

__all__ = ["late"]
