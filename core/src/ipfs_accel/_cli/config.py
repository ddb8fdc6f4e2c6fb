"""`ipfs-accel config`: what holds, and who says so."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

import attrs
import click

from ipfs_accel._config.config import Config, EndpointConfig
from ipfs_accel._config.paths import config_dir, is_there
from ipfs_accel._endpoints.target import Target
from ipfs_accel._secret import SECRET_NAME
from ipfs_accel._url import masked_url
from ipfs_accel.errors import AccelError, ConfigError, InvalidRequestError

from . import arguments, failures
from .command import Group, State, pass_state
from .inspect import Inspection, backend_of
from .output import emit, is_terminal, note, table, write_line

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
        "ipfs-accel config edit",
    ),
)
def config() -> None:
    """Show the configuration."""


@config.command(
    "path",
    short_help="Tell where the file is.",
    help="Tell the path of the configuration file. It need not exist; the folder that it usually is in is made.",
    examples=('cp config.toml "$(ipfs-accel config path)"',),
)
@pass_state
def path_of_config(state: State) -> None:
    """Tell the path of the configuration file."""
    path = config_path(state)
    if path == config_dir() / "config.toml":  # no folder of anybody's is made for having been named
        with suppress(OSError):  # there is an answer even where there can be no folder
            _make_folder(path)
    emit(state, {"path": str(path), "exists": is_there(path)}, lambda: write_line(str(path)))


def _make_folder(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def config_path(state: State) -> Path:
    """Return the file that is read, whether or not it exists."""
    named = state.config or os.environ.get("IPFS_ACCEL_CONFIG")
    return Path(named).expanduser() if named else config_dir() / "config.toml"


@config.command(
    "edit",
    short_help="Edit the file.",
    help="Edit the configuration file in your editor: $VISUAL, else $EDITOR, else what there is. A file that is not "
    "there yet is made, for you alone to read, and shows the settings as comments. What is wrong with it is told with "
    "its line when the editor ends.",
    examples=("ipfs-accel config edit", "EDITOR='code --wait' ipfs-accel config edit"),
)
@pass_state
def edit(state: State) -> None:
    """Edit the file."""
    path = config_path(state)
    editor = _editor(path)
    is_new = _begin(path)
    state.config = str(path)
    while True:
        click.edit(editor=editor, filename=str(path))
        try:
            loaded = state.load_config()
        except ConfigError as error:
            if not (arguments.stdin_is_terminal() and is_terminal(err=True)):
                raise
            failures.show(error, state)
            if not click.confirm("edit it again?", default=True, err=True):
                raise click.exceptions.Exit(failures.exit_code(error)) from None
        else:
            break
    if os.name == "posix" and path.stat().st_mode & 0o077 and _may_hold_secrets(loaded):
        note(state, f"note: others may read {path}, which has headers or a password in it; run: chmod 600 {path}")
    emit(state, {"path": str(path), "created": is_new}, lambda: note(state, f"{path} is well-formed"))


def _editor(path: Path) -> str | None:
    """Return the editor that is named, or None for what there is, which wants somebody at a terminal."""
    named = next((each for name in ("VISUAL", "EDITOR") if (each := os.environ.get(name, "").strip())), None)
    if named is None and not arguments.stdin_is_terminal():
        raise InvalidRequestError(
            "there is no terminal to edit at, and no editor is named",
            hint=f"set EDITOR, or change the file otherwise: {path}",
        )
    return named


def _begin(path: Path) -> bool:
    """Make the file unless it is there; return whether it was made."""
    try:
        _make_folder(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot make the configuration file: {error.strerror}",
            hint="IPFS_ACCEL_CONFIG, or --config, names another",
        ) from None
    template = resources.files("ipfs_accel") / "_templates" / "config.txt"
    with os.fdopen(descriptor, "wb") as file:
        file.write(template.read_bytes())
    return True


def _may_hold_secrets(loaded: Config) -> bool:
    given = loaded.endpoints.values()
    urls = [loaded.proxy, *[each.base_url for each in given]]
    options = [*[each.options for each in given], *loaded.plugins.options.values()]
    return (
        any(each.headers for each in given)
        or any(url is not None and masked_url(url) != url for url in urls)
        or any(_is_secret(name) for each in options for name in each)
    )


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


def _is_secret(name: str) -> bool:
    """Whether a setting of this name may hold a secret."""
    last = name.rpartition(".")[2]
    return name.startswith("headers.") or (SECRET_NAME.search(last) is not None and last not in _NO_SECRETS)


def _text(name: str, value: Any) -> str | None:
    """Return a value as text; what may be a secret only as set."""
    if value is None:
        return None
    if _is_secret(name):
        return "set"
    if isinstance(value, str):
        return masked_url(value)
    if isinstance(value, Mapping):
        return ", ".join([f"{key}={item}" for key, item in value.items()])
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
