"""`ipfs-accel serve --check`: all that is wrong with a configuration, before anybody is served by it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import click
from ipfs_accel import AccelError, AsyncClient
from ipfs_accel.errors import MissingKeyError

from ._faults import faults_of, keyless
from ._run import names_of

if TYPE_CHECKING:
    from ipfs_accel import Config
    from ipfs_accel.commands import State

    from ._source import Source

__all__ = ["check"]

_CONFIGURATION, _KEY = 3, 4  # as all commands have them


def check(state: State, source: Source) -> None:
    """Say what would be served, or all that is wrong with it; ends with the exit code for that."""
    config, settings = source.read()
    faults = list[AccelError]()
    names: dict[str, str] = {}
    try:
        names = names_of(config)
    except AccelError as error:
        faults.append(error)
    faults += asyncio.run(_faults_of(config))
    served = [*names, *config.aliases, *config.routes, *[f"{each}/…" for each in config.endpoints]]
    if settings.models is not None:  # nothing else of all that is configured
        served = [*settings.models]
    if state.json:
        told = {
            "host": settings.host,
            "port": settings.port,
            "models": served,
            "keys": [*settings.keys],
            "faults": [{"message": each.message, "hint": each.hint} for each in faults],
        }
        click.echo(json.dumps(told))
    elif not faults:
        click.echo(f"would serve at {settings.host} port {settings.port}: {', '.join(served)}")
        click.echo(f"keys: {', '.join(settings.keys) or ('none yet' if settings.wants_keys else 'none are wanted')}")
    else:
        for each in faults:
            click.echo(f"error: {each.message}" + (f"\nhint: {each.hint}" if each.hint else ""), err=True)
    if faults:
        is_key = all(isinstance(each, MissingKeyError) for each in faults)
        raise click.exceptions.Exit(_KEY if is_key else _CONFIGURATION)


async def _faults_of(config: Config) -> list[AccelError]:
    async with AsyncClient(config) as client:
        return [*await faults_of(client), *keyless(client)]
