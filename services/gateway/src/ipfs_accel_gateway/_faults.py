"""What is wrong with a configuration that can be read: found before it is served, without asking a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipfs_accel import AccelError
from ipfs_accel.errors import ConfigError, MissingKeyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ipfs_accel import AsyncClient, Config

__all__ = ["endpoints_of", "faults_of", "keyless"]


def endpoints_of(config: Config, names: Mapping[str, str]) -> list[str]:
    """Return the endpoints that may be asked: those with a table, and those that aliases and routes lead to.

    Args:
        config: What is configured.
        names: What is served beside it, to what the client is asked for.
    """
    targets = [target for _, target in _targets(config)]
    found = [config.aliases.get(each, each).partition("/")[0] for each in (*targets, *names.values())]
    return list(dict.fromkeys([*config.endpoints, *[each for each in found if each not in config.routes]]))


async def faults_of(client: AsyncClient) -> list[AccelError]:
    """Return what of the endpoints, aliases and routes cannot be used, each with where it stands.

    Their plugins are loaded; nothing is sent. That a key is missing is no fault of these: see `keyless`.
    """
    config, found = client.config, list[AccelError]()
    broken = set[str]()
    for name in config.endpoints:
        try:
            await client.capabilities(name, offline=True)
        except AccelError as error:
            broken.add(name)
            found.append(_placed(error, config, f"endpoints.{name}"))
    for setting, target in _targets(config):
        if target in config.routes or config.aliases.get(target, target).partition("/")[0] in broken:
            continue  # which is told of already
        try:
            await client.capabilities(target, offline=True)
        except AccelError as error:
            found.append(_placed(error, config, setting))
    return found


def keyless(client: AsyncClient) -> list[AccelError]:
    """Return one for each of the endpoints, whose plugins are loaded, that needs a key and has none."""
    return [
        _placed(
            MissingKeyError(
                f"endpoint {name!r} needs a key and none is set",
                hint=f"set the variable that its key_env names, or run: ipfs-accel keys set {name}",
            ),
            client.config,
            f"endpoints.{name}",
        )
        for name, state in client.states().items()
        if state.lacks_key
    ]


def _targets(config: Config) -> Iterator[tuple[str, str]]:
    """Return the setting and the target of each alias and route."""
    for name, target in config.aliases.items():
        yield f"aliases.{name}", target
    for name, route in config.routes.items():
        for target in route.targets:
            yield f"routes.{name}.targets", target


def _placed(error: AccelError, config: Config, setting: str) -> AccelError:
    """Return an error that begins with the file and the line of what it is about."""
    lines = config.sources
    where = lines.get(setting) or next((each for name, each in lines.items() if name.startswith(f"{setting}.")), None)
    kind = MissingKeyError if isinstance(error, MissingKeyError) else ConfigError
    return kind(f"{where or config.path or 'the configuration'}: {setting}: {error.message}", hint=error.hint)
