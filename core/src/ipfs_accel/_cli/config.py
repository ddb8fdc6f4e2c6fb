"""`ipfs-accel config`: what holds, and who says so."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import click

from ipfs_accel._config.config import Config, EndpointConfig
from ipfs_accel._config.paths import config_dir, is_there
from ipfs_accel._endpoints.target import Target
from ipfs_accel._secret import SECRET_NAME
from ipfs_accel._url import masked_url
from ipfs_accel.errors import AccelError

from .command import Group, State, pass_state
from .inspect import Inspection, backend_of
from .output import emit, note, table, write_line

__all__ = ["config", "config_path"]

_PLAIN_FIELDS = ("default_model", "on_unsupported", "timeout", "proxy", "ca_file")
_TABLES = ("retry", "limits", "breaker", "cache", "telemetry")
_NO_SECRETS = {"key_env", "key_policy", "max_tokens_field", "tokens_per_minute"}
_POLICY_FIELDS = ("allow", "deny", "middleware")

Setting = tuple[str, str | None, str]
"""Dotted name, value as text (None if there is none), and where it is from."""


@click.group(
    cls=Group,
    short_help="Show every setting and where it is from.",
    help="Show the configuration. Code wins over the environment, the environment over the file.",
    examples=(
        "ipfs-accel config show",
        "ipfs-accel config show --json | jq '.settings.default_model'",
        '$EDITOR "$(ipfs-accel config path)"',
    ),
)
def config() -> None:
    """Show the configuration."""


@config.command(
    "path",
    short_help="Tell where the file is.",
    help="Tell the path of the configuration file; it need not exist.",
    examples=('$EDITOR "$(ipfs-accel config path)"',),
)
@pass_state
def path_of_config(state: State) -> None:
    """Tell the path of the configuration file."""
    path = config_path(state)
    emit(state, {"path": str(path), "exists": is_there(path)}, lambda: write_line(str(path)))


def config_path(state: State) -> Path:
    """Return the file that is read, whether or not it exists."""
    named = state.config or os.environ.get("IPFS_ACCEL_CONFIG")
    return Path(named).expanduser() if named else config_dir() / "config.toml"


@config.command(
    "show",
    short_help="Show every setting and where it is from.",
    help="Show every setting with its value and where that is from: file and line, environment variable or default. "
    "Keys show only as set, missing or none.",
    examples=("ipfs-accel config show", "ipfs-accel config show | grep ^endpoints.openai"),
)
@pass_state
def show(state: State) -> None:
    """Show every setting."""
    loaded = state.load_config()
    settings = list(_settings(loaded, state))
    document = {
        "path": str(config_path(state)),
        "settings": {name: {"value": value, "source": source} for name, value, source in settings},
    }
    emit(state, document, lambda: table(state, ("setting", "value", "from"), settings))
    if loaded.path is None:
        note(state, f"there is no file {config_path(state)}")


def _settings(loaded: Config, state: State) -> Iterator[Setting]:
    sources = loaded.sources
    for field in _PLAIN_FIELDS:
        value = getattr(loaded, field)
        yield field, _text(field, value), sources.get(field, "default")
    for alias, model in sorted(loaded.aliases.items()):
        yield f"aliases.{alias}", model, sources.get(f"aliases.{alias}", "code")
    for field in _POLICY_FIELDS:
        yield (
            f"plugins.{field}",
            _text(field, getattr(loaded.plugins, field)),
            sources.get(f"plugins.{field}", "default"),
        )
    for name, options in loaded.plugins.options.items():
        for setting, value in options.items():
            dotted = f"plugins.options.{name}.{setting}"
            yield dotted, _text(dotted, value), sources.get(dotted, "code")
    tables = {field: getattr(loaded, field) for field in _TABLES}
    tables |= {f"routes.{name}": route for name, route in sorted(loaded.routes.items())}
    for name, given in tables.items():
        for setting, value in _entries(name, given):
            yield setting, _text(setting, value), sources.get(setting, "code")
    inspection = Inspection(loaded, state)
    for name in inspection.endpoints:
        yield from _endpoint(loaded, inspection.target(name), name)


def _endpoint(loaded: Config, target: Target | AccelError, name: str) -> Iterator[Setting]:
    prefix = f"endpoints.{name}"
    shown: set[str] = set()
    if isinstance(target, AccelError):
        yield f"{prefix}.backend", backend_of(loaded, name), loaded.sources.get(f"{prefix}.backend", "its name")
        yield f"{prefix}.error", target.message, "ipfs-accel doctor"
        shown.add(f"{prefix}.backend")
    else:
        for setting, (value, source) in target.sources.items():
            shown.add(f"{prefix}.{setting}")
            yield f"{prefix}.{setting}", value if setting == "key" else _text(setting, value), source
    given = loaded.endpoints.get(name, EndpointConfig())
    for setting, value in _given(given):
        if f"{prefix}.{setting}" not in shown:
            yield f"{prefix}.{setting}", _text(setting, value), loaded.sources.get(f"{prefix}.{setting}", "code")


def _given(given: EndpointConfig) -> Iterator[tuple[str, Any]]:
    """Yield what was given for an endpoint, the tables in it entry by entry; never the key."""
    for field in ("backend", "base_url", "key_env", "key_policy", "timeout"):
        if getattr(given, field) is not None:
            yield field, getattr(given, field)
    for field in ("retry", "limits", "breaker", "batching"):
        yield from _entries(field, getattr(given, field))
    for field in ("headers", "options"):
        for name, value in getattr(given, field).items():
            yield f"{field}.{name}", value
    for model, said in given.models.items():
        for field in ("context_window", "max_output_tokens", "input_price", "output_price"):
            if getattr(said, field) is not None:
                yield f"models.{model}.{field}", getattr(said, field)
        for feature, value in said.features.items():
            yield f"models.{model}.features.{feature}", value


def _entries(name: str, given: Any) -> Iterator[tuple[str, Any]]:
    """Yield what was given in a table of settings, and in tables within it; None is no table."""
    for field in () if given is None else attrs.fields(type(given)):
        value = getattr(given, field.name)
        if attrs.has(type(value)):
            yield from _entries(f"{name}.{field.name}", value)
        elif value != field.default:
            yield f"{name}.{field.name}", value


def _text(name: str, value: Any) -> str | None:
    """Return a value as text; what may be a secret only as set."""
    if value is None:
        return None
    last = name.rpartition(".")[2]
    if name.startswith("headers.") or (SECRET_NAME.search(last) and last not in _NO_SECRETS):
        return "set"
    if isinstance(value, str):
        return masked_url(value)
    if isinstance(value, Mapping):
        return ", ".join([f"{key}={item}" for key, item in value.items()])
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
