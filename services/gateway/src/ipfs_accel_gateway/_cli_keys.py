"""`ipfs-accel serve keys`: who may call."""

from __future__ import annotations

import json
import re
import secrets
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from ipfs_accel.commands import Command, Group, State, pass_state
from ipfs_accel.errors import ConfigError

from . import _keys_file
from ._callers import hash_of
from ._settings import read_keys, settings_of

if TYPE_CHECKING:
    from ipfs_accel import Config

__all__ = ["keys"]

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_KEY_BYTES = 32


@click.group(
    cls=Group,
    name="keys",
    short_help="Make, list and revoke keys of the gateway's own.",
    help="Make, list and revoke keys of the gateway's own. They stand in the file that gateway.keys_file names, which "
    "a gateway that runs reads anew, or in the configuration.",
    examples=(
        "ipfs-accel serve keys new --owner alice --models 'fast,local/*' --requests-per-minute 60",
        "ipfs-accel serve keys list",
        "ipfs-accel serve keys revoke alice",
    ),
)
def keys() -> None:
    """Keys of the gateway's own."""


def _names(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    return None if value is None else tuple([each.strip() for each in value.split(",") if each.strip()])


def _moment(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no date such as {date(2027, 6, 30)}") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


_ABOVE_ZERO = click.FloatRange(min=0, min_open=True)


@keys.command(
    cls=Command,
    name="new",
    short_help="Make a key.",
    help="Make a key and print it, once. Its hash, and what it allows, go into the file that gateway.keys_file names; "
    "where there is none, the lines for the configuration are shown.",
    examples=(
        "ipfs-accel serve keys new --owner alice",
        "ipfs-accel serve keys new --owner 'Team B' --name team-b --models 'fast' --expires 2027-06-30",
    ),
)
@click.option("--owner", required=True, help="Whose it is, for people.")
@click.option("--name", help="Name of the key. Default: made of the owner's.")
@click.option("--models", callback=_names, metavar="NAME,…", help="Models that may be used with it; * is anything.")
@click.option("--expires", callback=_moment, metavar="DATE", help="Until when it is good, in UTC. Default: for good.")
@click.option("--requests-per-minute", type=_ABOVE_ZERO, metavar="N", help="How many requests may come.")
@click.option("--tokens-per-minute", type=_ABOVE_ZERO, metavar="N", help="How many tokens may go in and out.")
@click.option("--concurrency", type=click.IntRange(1), metavar="N", help="How many requests may be under way at once.")
@pass_state
def new(state: State, /, *, owner: str, name: str | None, **limits: Any) -> None:
    """Make a key."""
    name = name or "-".join(_NAME.findall(owner)).lower()
    if not _NAME.fullmatch(name):
        what = f"--name {name!r}" if name else f"--owner {owner!r}"
        raise ConfigError(f"{what}: expected letters, digits, - and _", hint="name the key by --name")
    config = state.load_config()
    path = _path_of(config)
    if name in config.gateway.get("keys", {}):
        raise ConfigError(
            f"{config.path}: gateway.keys.{name}: there is a key of this name already", hint="name another by --name"
        )
    key = f"ia-{secrets.token_urlsafe(_KEY_BYTES)}"
    settings = {"owner": owner, "hash": hash_of(key), **limits}
    if path is not None:
        _keys_file.add(path, name, settings)
    if state.json:
        told = {"key": key, "name": name, "owner": owner, "hash": hash_of(key), "file": path and str(path)}
        click.echo(json.dumps(told))
        return
    click.echo(key)
    click.echo("\nThis is the only time that the key is shown.", err=True)
    if path is None:
        lines = _keys_file.table_of(f"gateway.keys.{name}", settings)
        click.echo(f"Put this into the configuration:\n\n{lines}", err=True)
    else:
        click.echo(f"It is {name} in {path}; a gateway that runs lets it in within seconds.", err=True)


@keys.command(
    cls=Command,
    name="list",
    short_help="List the keys.",
    help="List the keys by name, with what they allow. Nothing of the keys themselves is kept.",
    examples=("ipfs-accel serve keys list", "ipfs-accel serve keys list --json | jq '.[].owner'"),
)
@pass_state
def list_keys(state: State) -> None:
    """List the keys."""
    config = state.load_config()
    found = settings_of(config).keys
    own = config.gateway.get("keys", {})
    path = _path_of(config)
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "owner": key.owner,
            "models": None if key.models is None else list(key.models),
            "requests_per_minute": key.requests_per_minute,
            "tokens_per_minute": key.tokens_per_minute,
            "concurrency": key.concurrency,
            "expires": key.expires and key.expires.isoformat(),
            "is_expired": key.expires is not None and key.expires <= datetime.now(UTC),
            "file": str(config.path if name in own else path),
        }
        for name, key in found.items()
    ]
    if state.json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        facts = {each: row[each] for each in ("requests_per_minute", "tokens_per_minute", "concurrency", "expires")}
        models = "all models" if row["models"] is None else ", ".join(row["models"])
        said = [f"{each.replace('_', ' ')}: {value}" for each, value in facts.items() if value is not None]
        if row["is_expired"]:
            said.append("no longer good")
        click.echo(f"{row['name']}  {row['owner'] or '-'}  {'; '.join([models, *said])}")
    if not rows:
        click.echo("there are no keys", err=True)


@keys.command(
    cls=Command,
    name="revoke",
    short_help="Let a key in no more.",
    help="Take the key of that name out of the file of keys. A gateway that runs refuses it within seconds.",
    examples=("ipfs-accel serve keys revoke alice",),
)
@click.argument("name")
@pass_state
def revoke(state: State, name: str) -> None:
    """Let a key in no more."""
    config = state.load_config()
    path = _path_of(config)
    if name in config.gateway.get("keys", {}):
        where = config.sources.get(f"gateway.keys.{name}.hash", str(config.path))
        raise ConfigError(
            f"{where}: gateway.keys.{name} stands in the configuration", hint="take the table out of it by hand"
        )
    if path is None:
        raise ConfigError("gateway.keys_file: no file of keys is named", hint="keys stand in gateway.keys only")
    _keys_file.remove(path, name)
    if state.json:
        click.echo(json.dumps({"name": name, "file": str(path), "left": sorted(read_keys(path))}))
    elif not state.quiet:
        click.echo(f"{name} is no longer in {path}", err=True)


def _path_of(config: Config) -> Path | None:
    """Return the file of keys that the configuration names; it need not be there yet."""
    named = config.gateway.get("keys_file")
    if named is None:
        return None
    if not isinstance(named, str):
        raise ConfigError(f"gateway.keys_file: expected a string, got {named!r}")
    return Path(config.path.parent if config.path else "", named).absolute()
