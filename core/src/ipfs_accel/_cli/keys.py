"""`ipfs-accel keys`: keys come from a prompt or a pipe and are never shown."""

from __future__ import annotations

import sys

import attrs
import click

from ipfs_accel._config.config import Config, EndpointConfig
from ipfs_accel._config.keys import KeyFile
from ipfs_accel._config.secrets import as_secret
from ipfs_accel._endpoints.resolve import resolve
from ipfs_accel._plugins.registry import Registry
from ipfs_accel._suggest import did_you_mean
from ipfs_accel._url import origin_of, parts_of
from ipfs_accel.errors import AccelError, ConfigError, InvalidRequestError

from . import arguments, kinds
from .command import Group, State, pass_state
from .inspect import backend_of
from .output import emit, note, table, write_line

__all__ = ["keys"]


@click.group(
    cls=Group,
    short_help="Store, list and remove keys.",
    help="Store, list and remove keys. They are in a file that only you can read, each bound to its place.",
    examples=("ipfs-accel keys set openai", "pass openai/key | ipfs-accel keys set openai", "ipfs-accel keys list"),
)
def keys() -> None:
    """Store, list and remove keys."""


@keys.command(
    "set",
    short_help="Store the key of an endpoint.",
    help="Store the key of the endpoint NAME: typed without echo on a terminal, else read from stdin. It is never an "
    "argument, where the shell's history and other processes would see it.",
    examples=(
        "ipfs-accel keys set openai",
        "pass openai/key | ipfs-accel keys set openai",
        "ipfs-accel keys set lab --origin https://gpu1.example:8000 < key.txt",
    ),
    context_settings={"allow_extra_args": True},
)
@click.argument("name", type=kinds.ENDPOINT)
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the key from stdin, even on a terminal.")
@click.option("--origin", metavar="URL", help="The only place that the key is for. Default: where the endpoint points.")
@pass_state
@click.pass_context
def set_key(context: click.Context, state: State, name: str, from_stdin: bool, origin: str | None) -> None:
    """Store a key."""
    if context.args:
        raise InvalidRequestError(
            "a key is not given as an argument: the shell's history and other processes would see it",
            hint=f"run: ipfs-accel keys set {name}, and type the key or pipe it in",
        )
    bound_to = _given_origin(origin) if origin else _origin_of_endpoint(state, name)
    key = as_secret(_read_key(name, from_stdin=from_stdin), "what was typed")
    key_file = KeyFile.default()
    key_file.set(name, key, bound_to)
    document = {"name": name, "origin": bound_to, "path": str(key_file.path)}
    emit(state, document, lambda: note(state, f"stored the key of {name} for {bound_to} in {key_file.path}"))


def _given_origin(url: str) -> str:
    found = origin_of(url)
    if parts_of(url) is None or not found.startswith(("http://", "https://")) or "@" in found:
        raise InvalidRequestError("--origin: expected a URL such as https://api.example.com")
    return found


def _origin_of_endpoint(state: State, name: str) -> str:
    """Return where an endpoint points, whatever key it has now."""
    config = state.load_config()
    try:
        backend = Registry(config.plugins, state.plugins).load(backend_of(config, name))
        target = resolve(name, backend, _without_key(config, name), KeyFile.default())
    except AccelError as error:
        known = f"{error.hint}; or " if error.hint else ""
        error.hint = f"{known}name the place that the key is for: --origin URL"
        raise
    if not target.origin:
        raise ConfigError(
            f"endpoint {name!r} points nowhere, so its key would have no place that it is for",
            hint=f"run: ipfs-accel keys set {name} --origin URL",
        )
    return target.origin


def _without_key(config: Config, name: str) -> Config:
    given = attrs.evolve(config.endpoints.get(name, EndpointConfig()), key="")
    return attrs.evolve(config, endpoints={**config.endpoints, name: given})


def _read_key(name: str, *, from_stdin: bool) -> str:
    if from_stdin or not arguments.stdin_is_terminal():
        key = "" if sys.stdin is None else sys.stdin.readline().strip()
        if not key:
            raise InvalidRequestError("no key came from stdin", hint=f"run: ipfs-accel keys set {name} < FILE")
        return key
    answer: str = click.prompt(f"key of {name} (not shown)", hide_input=True, err=True)
    return answer


@keys.command(
    "list",
    short_help="List whose keys are stored.",
    help="List the endpoints whose keys are stored, and the place that each key is for.",
    examples=("ipfs-accel keys list",),
)
@pass_state
def list_keys(state: State) -> None:
    """List names and origins."""
    key_file = KeyFile.default()
    stored = {name: key_file.get(name) for name in key_file.names()}
    rows = [(name, each.origin) for name, each in stored.items() if each is not None]
    emit(
        state,
        {"keys": [{"name": name, "origin": origin} for name, origin in rows]},
        lambda: table(state, ("endpoint", "for"), rows),
    )
    if not rows:
        note(state, f"no keys are stored in {key_file.path}")


@keys.command(
    "remove",
    short_help="Forget the key of an endpoint.",
    help="Forget the stored key of the endpoint NAME.",
    examples=("ipfs-accel keys remove openai",),
)
@click.argument("name", type=kinds.ENDPOINT)
@pass_state
def remove_key(state: State, name: str) -> None:
    """Forget a key."""
    key_file = KeyFile.default()
    if not key_file.remove(name):
        raise ConfigError(f"no key of {name!r} is stored in {key_file.path}", hint=did_you_mean(name, key_file.names()))
    emit(state, {"name": name, "removed": True}, lambda: note(state, f"removed the key of {name}"))


@keys.command(
    "path",
    short_help="Tell where the keys are stored.",
    help="Tell the path of the key file; it need not exist.",
    examples=("ipfs-accel keys path",),
)
@pass_state
def path_of_keys(state: State) -> None:
    """Tell the path of the key file."""
    path = str(KeyFile.default().path)
    emit(state, {"path": path}, lambda: write_line(path))
