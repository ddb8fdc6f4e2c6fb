"""Hosts of OpenAI's dialect as endpoints: one file of data each, in `rows`, read when its host is first used.

Each is an entry point of the group `ipfs_accel.hosts`; what a row may hold says `ipfs_accel._plugins.hosts`.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """Read a row: `deepseek` is that of the host of this name, `lm_studio` that of `lm-studio`."""
    import json  # noqa: PLC0415 - a program that uses no host needs neither
    from pathlib import PurePath  # noqa: PLC0415 - as above

    file = PurePath(__file__).with_name("rows") / f"{name.replace('_', '-')}.json"
    loader: Any = __spec__.loader  # which may read from an archive
    try:
        return json.loads(loader.get_data(str(file)))
    except OSError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
