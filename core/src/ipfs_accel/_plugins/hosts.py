"""Hosts: rows of data that make endpoints of a backend which speaks what the host speaks.

A row is a mapping of plain values. Each of its cells may be a value, or a table of `value`, `source` (a URL) and
`date`; what is not there is as the dialect is published.

    {
        "name": "acme",
        "title": "Acme",
        "backend": "openai",
        "base_url": {"value": "https://api.acme.example/v1", "source": "https://acme.example", "date": "2026-11-30"},
        "key_env": ["ACME_API_KEY"],
        "options": {"max_tokens_field": "max_completion_tokens"},
        "lacks": [{"operations": ["embed"], "value": "Acme has no models for it"}],
        "documentation": "https://docs.acme.example",
    }

It is found through an entry point of the group `ipfs_accel.hosts` that has the host's name and names the mapping. What
stands in braces in `base_url` is filled in for each endpoint; `url_env` says which variables may do that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ipfs_accel._secret import SECRET_NAME
from ipfs_accel._suggest import did_you_mean, short
from ipfs_accel._url import is_here
from ipfs_accel._values import frozen
from ipfs_accel.errors import PluginError
from ipfs_accel.hookspecs import OPERATIONS, LocalServer

from .names import KEYS

if TYPE_CHECKING:
    from ipfs_accel.hookspecs import BackendInfo
    from ipfs_accel.plans import Endpoint

__all__ = ["Host", "info_of", "read_host"]


class _RowError(ValueError):
    """A cell is not what it has to be."""


@frozen(kw_only=True)
class Host:
    """A row, checked.

    Attributes:
        name: Of the host, and of the endpoint that it makes.
        backend: Name of the plugin that carries it out.
        title: For people.
        base_url: Where it is; may have names in braces.
        url_env: Such a name to the variables that may say it.
        key_env: Variables that may hold its key, first wins.
        needs_key: Whether calls are pointless without one.
        local: How to get and start it, where people run it themselves.
        options: Settings of the backend that hold for it.
        lacks: Operations of the backend that it does not have, to why.
        documentation: URL of a page for users.
        borrowed: Variables that it names and that belong to others, to whose they are; it gets none of their keys.
    """

    name: str
    backend: str
    title: str = ""
    base_url: str
    url_env: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    key_env: tuple[str, ...] = ()
    needs_key: bool = False
    local: LocalServer | None = None
    options: Mapping[str, Any] = attrs.field(factory=dict)
    lacks: Mapping[str, str] = attrs.field(factory=dict)
    documentation: str = ""
    borrowed: Mapping[str, str] = attrs.field(factory=dict)


def read_host(name: str, row: object, *, is_ours: bool) -> Host:
    """Make a host of its row.

    Args:
        name: Under which it is registered.
        row: What is registered.
        is_ours: Whether it may take keys from the variables of `KEYS`.

    Raises:
        ValueError: The row is wrong; says which cell and why.
    """
    if not isinstance(row, Mapping):
        raise _RowError(f"a host is a mapping, this is a {type(row).__name__}")
    known = [field.name for field in attrs.fields(Host) if field.name != "borrowed"]
    for each in row:
        if each not in known:
            hint = did_you_mean(str(each), known)
            raise _RowError(f"{each!r} is no cell of a host" + (f"; {hint}" if hint else ""))
    cells = {each: _value(cell) for each, cell in row.items()}
    if cells.get("name") != name:
        raise _RowError(f"it calls itself {cells.get('name')!r} but is registered as {name!r}")
    variables = _names("key_env", cells.get("key_env", ()))
    borrowed = {} if is_ours else {each: KEYS[each] for each in variables if each in KEYS}
    needs_key = cells.get("needs_key", bool(variables))
    if not isinstance(needs_key, bool):
        raise _RowError(f"needs_key: expected true or false, got {short(needs_key)}")
    local = row.get("local")
    return Host(
        name=name,
        backend=_text("backend", cells.get("backend")),
        title=_text("title", cells.get("title", name)),
        base_url=_text("base_url", cells.get("base_url")),
        url_env=_url_env(cells.get("url_env", {})),
        key_env=tuple([each for each in variables if each not in borrowed]),
        needs_key=needs_key,
        local=None if local is None else _local(local),
        options={each: _option(cell) for each, cell in _table("options", row.get("options", {})).items()},
        lacks=_lacks(row.get("lacks", ())),
        documentation=_text("documentation", cells.get("documentation", "")),
        borrowed=borrowed,
    )


def info_of(host: Host, info: BackendInfo) -> BackendInfo:
    """Return what the core has to know of a host: what the backend says of itself, at another place.

    Raises:
        PluginError: The row sets an option that the backend does not have.
    """
    known = [] if info.options is None else [field.name for field in attrs.fields(info.options)]
    for each in host.options:
        if each not in known:
            raise PluginError(
                f"the host {host.name!r} sets the option {each!r}, which the backend {info.name!r} does not have",
                backend=host.name,
                hint=did_you_mean(each, known),
            )
    return attrs.evolve(
        info,
        name=host.name,
        title=host.title,
        base_url=host.base_url,
        base_url_env=(),
        url_env=host.url_env,
        read_base_url=None,
        local=host.local,
        is_own=is_here(host.base_url),
        key_env=host.key_env,
        token_env=(),
        key_url="",
        needs_key=host.needs_key,
        presets=host.options,
        options_env={},  # those variables speak of the provider that the backend was written for
        lacks=_both(info.lacks, host.lacks),
        idempotency_header=None,
        documentation=host.documentation,
    )


def _both(
    known: Callable[[Endpoint], Mapping[str, str]] | None, lacks: Mapping[str, str]
) -> Callable[[Endpoint], Mapping[str, str]]:
    return lambda endpoint: {**({} if known is None else known(endpoint)), **lacks}


def _value(cell: object) -> Any:
    return cell["value"] if isinstance(cell, Mapping) and "value" in cell else cell


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise _RowError(f"{name}: expected a text, got {short(value)}")
    return value


def _names(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) and each for each in value):
        raise _RowError(f"{name}: expected a list of names, got {short(value)}")
    return tuple(value)


def _table(name: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _RowError(f"{name}: expected a table, got {short(value)}")
    return value


def _option(cell: object) -> Any:
    value = _value(cell)
    return tuple(value) if isinstance(value, list) else value


def _url_env(value: object) -> dict[str, tuple[str, ...]]:
    found = {name: _names(f"url_env.{name}", each) for name, each in _table("url_env", value).items()}
    for name, variables in found.items():
        for each in variables:
            if each in KEYS or SECRET_NAME.search(each):
                raise _RowError(f"url_env.{name}: {each} holds a key, which has no place in a URL")
    return found


def _local(cell: object) -> LocalServer:
    fields = {name: value for name, value in _table("local", cell).items() if name not in {"source", "date"}}
    try:
        return LocalServer(**fields)
    except TypeError as error:
        raise _RowError(f"local: {error}") from None


def _lacks(groups: object) -> dict[str, str]:
    found: dict[str, str] = {}
    for group in groups if isinstance(groups, list | tuple) else [groups]:
        said = _table("lacks", group)
        for each in _names("lacks", said.get("operations", ())):
            if each not in OPERATIONS:
                raise _RowError(f"lacks: there is no operation {each!r}")
            found[each] = _text(f"lacks.{each}", said.get("value"))
    return found
