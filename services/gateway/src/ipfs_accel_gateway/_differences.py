"""What differs between two configurations: names alone, as values may be secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from ipfs_accel import Config

    from ._settings import Settings

__all__ = ["differences", "is_same"]

_NOT_SAID = {"path", "environ", "sources", "gateway"}


def is_same(old: Config, new: Config) -> bool:
    """Whether two configurations say the same of all but the gateway."""
    return not any(_between_configs(old, new))


def differences(old: tuple[Config, Settings], new: tuple[Config, Settings]) -> list[str]:
    """Return what has changed, such as `endpoints.local.base_url changed` and `gateway.keys.bob added`."""
    return [*_between_configs(old[0], new[0]), *_between(old[1], new[1], "gateway")]


def _between_configs(old: Config, new: Config) -> Iterator[str]:
    for field in attrs.fields(type(new)):
        if field.name not in _NOT_SAID:
            yield from _between(getattr(old, field.name), getattr(new, field.name), field.name)


def _between(old: Any, new: Any, name: str) -> Iterator[str]:
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from [f"{name}.{each} removed" for each in old if each not in new]
        for each, value in new.items():
            if each in old:
                yield from _between(old[each], value, f"{name}.{each}")
            else:
                yield f"{name}.{each} added"
    elif attrs.has(type(new)) and type(old) is type(new):
        for field in attrs.fields(type(new)):
            yield from _between(getattr(old, field.name), getattr(new, field.name), f"{name}.{field.name}")
    else:
        yield f"{name} changed"
