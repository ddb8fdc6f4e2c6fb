"""Whether what is installed under a name may load, which is known without loading anything."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from .names import RESERVED, reserved

if TYPE_CHECKING:
    from .entry_points import Installed
    from .records import State

__all__ = ["blocked", "judge"]


def blocked(names: Collection[str], allow: Collection[str] | None, deny: Collection[str]) -> str | None:
    """Return why the configuration leaves out a plugin; None if it does not.

    Args:
        names: Of the plugin, and of its distribution.
        allow: What alone may load; None means all.
        deny: What may not.
    """
    if set(names) & set(deny):
        return "plugins.deny or IPFS_ACCEL_DISABLE_PLUGINS names it"
    if allow is not None and not set(names) & set(allow):
        return "plugins.allow or IPFS_ACCEL_PLUGINS does not name it"
    return None


def judge(
    name: str, origins: Sequence[Installed], allow: Collection[str] | None, deny: Collection[str]
) -> tuple[Installed, State, str | None]:
    """Return whose registration of a name counts, its state, and why that is not `available`.

    Args:
        name: Of a backend or a host.
        origins: All that register it.
        allow: What alone may load; None means all.
        deny: What may not.
    """
    owner = RESERVED.get(name)
    own = [origin for origin in origins if origin.distribution == owner]
    chosen = (own or origins)[0]
    reason = blocked((name, chosen.distribution), allow, deny)
    if reason is None and owner and not own:
        reason = reserved(name)
    if reason is not None:
        return chosen, "blocked", reason
    if not own and len(origins) > 1:
        names = " and ".join(sorted([origin.distribution for origin in origins]))
        return chosen, "duplicate", f"the distributions {names} both register {name!r}: uninstall one of them"
    return chosen, "available", None
