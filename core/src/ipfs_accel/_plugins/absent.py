"""What an error says of a name that nothing installed has: what it is elsewhere, and what to install."""

from __future__ import annotations

from collections.abc import Collection

from ipfs_accel._suggest import did_you_mean
from ipfs_accel.errors import PluginError
from ipfs_accel.installing import install_command

from .names import OTHER_NAMES, RESERVED

__all__ = ["absent"]

_HOSTS = "ipfs-accel-hosts"


def absent(name: str, backends: Collection[str], installed: Collection[str]) -> PluginError:
    """Return the error for a name of neither a backend nor a host.

    Args:
        name: As somebody wrote it.
        backends: Names of the installed backends.
        installed: Names of the installed backends and hosts.
    """
    if name in RESERVED:
        what = "host" if RESERVED[name] == _HOSTS else "backend"
        return PluginError(f"the {what} {name!r} is not installed", hint=f"run: {_install(name)}")
    message = f"no installed plugin provides a backend {name!r}"
    ours = OTHER_NAMES.get(name.lower().replace("_", "-"))
    if ours is not None:
        hint = f"it is called {ours!r} here"
        return PluginError(message, hint=hint if ours in installed else f"{hint}; run: {_install(ours)}")
    near = did_you_mean(name, {*installed, *RESERVED})
    if near is None:
        hosts = len(installed) - len(backends)
        known = did_you_mean(name, backends)
        more = f" and {hosts} hosts, which ipfs-accel backends lists" if hosts and known else ""
        return PluginError(message, hint=f"{known}{more}" if known else None)
    missing = [each for each in RESERVED if repr(each) in near and each not in installed]
    return PluginError(message, hint=f"{near} For {missing[0]!r} run: {_install(missing[0])}" if missing else near)


def _install(name: str) -> str:
    owner = RESERVED[name]
    return install_command(f"ipfs-accel[{owner.removeprefix('ipfs-accel-')}]", owner)
