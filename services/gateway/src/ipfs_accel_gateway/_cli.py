"""`ipfs-accel serve`: the gateway from the command line."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

import click
from ipfs_accel.commands import Command, Group, State, pass_state
from ipfs_accel.errors import ConfigError

from ._callers import hash_of
from ._observers import tracing
from ._run import GUIDE, Gateway, names_of
from ._run import serve as run
from ._settings import Settings, read_settings
from ._spend_cli import spend

if TYPE_CHECKING:
    from ipfs_accel import Config

__all__ = ["serve"]

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_KEY_BYTES = 32


@click.group(
    cls=Group,
    invoke_without_command=True,
    short_help="Serve models to any client, behind one address.",
    help="Serve what is configured (endpoints, routes and aliases) to clients of OpenAI's, Anthropic's, Ollama's and "
    "Gemini's APIs. With nothing configured it serves the small model of the embedded engine, as `guide`. Settings "
    "stand in the configuration's table `gateway`. Ctrl-C lets what is being answered end; a second one does not.",
    examples=(
        "ipfs-accel serve",
        "ipfs-accel serve --port 8080",
        "ipfs-accel serve --check",
        "ipfs-accel serve keys new --owner alice",
        "ipfs-accel serve spend",
    ),
)
@click.option("--host", help="Address to listen at; beyond this machine's own it wants keys. Default: 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen at; 0 takes a free one. Default: 4242.")
@click.option("--check", is_flag=True, help="Read and check the configuration, and serve nothing.")
@pass_state
@click.pass_context
def serve(context: click.Context, state: State, host: str | None, port: int | None, *, check: bool) -> None:
    """Serve."""
    if context.invoked_subcommand is not None:
        return
    config = state.load_config()
    table = dict(config.gateway)
    table |= {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = read_settings(table, str(config.path) if config.path else "the configuration")
    names = names_of(config)
    if check:
        _tell_check(
            state, settings, [*names, *config.aliases, *config.routes, *[f"{each}/…" for each in config.endpoints]]
        )
        return
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    end = _exporting(config)
    try:
        asyncio.run(
            run(config, settings, lambda gateway: _tell_ready(state, gateway, settings, is_guide=GUIDE in names))
        )
    finally:
        end()


def _exporting(config: Config) -> Callable[[], None]:
    if config.telemetry is None or not config.telemetry.otel:
        return lambda: None
    found: Callable[[], None] = tracing().exporting()
    return found


def _tell_check(state: State, settings: Settings, names: list[str]) -> None:
    if state.json:
        click.echo(
            json.dumps({"host": settings.host, "port": settings.port, "models": names, "keys": [*settings.keys]})
        )
        return
    click.echo(f"would serve at {settings.host} port {settings.port}: {', '.join(names)}")
    click.echo(f"keys: {', '.join(settings.keys) or 'none are wanted'}")


def _tell_ready(state: State, gateway: Gateway, settings: Settings, *, is_guide: bool) -> None:
    url = _url(gateway.address)
    metrics = None if gateway.metrics_address is None else f"{_url(gateway.metrics_address)}/metrics"
    if state.json:
        click.echo(json.dumps({"url": url, "pid": os.getpid()} | ({} if metrics is None else {"metrics": metrics})))
        return
    if state.quiet:
        return
    key = "$KEY" if settings.keys else "none"
    model = GUIDE if is_guide else "MODEL"
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}]})
    click.echo(f"serving at {url}; Ctrl-C ends it", err=True)
    click.echo(
        f"  openai       OPENAI_BASE_URL={url}/v1 OPENAI_API_KEY={key} python app.py   # model={model!r}", err=True
    )
    click.echo(f"  curl         curl {url}/v1/chat/completions -H 'Authorization: Bearer {key}' -d '{body}'", err=True)
    click.echo(
        f"  Claude Code  ANTHROPIC_BASE_URL={url} ANTHROPIC_AUTH_TOKEN={key} ANTHROPIC_MODEL={model} claude", err=True
    )
    if metrics is not None:
        click.echo(f"metrics, for whoever reaches them, at {metrics}", err=True)


def _url(address: tuple[str, int]) -> str:
    host, port = address
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


serve.add_command(spend)


@serve.group(
    cls=Group, name="keys", short_help="Make keys of the gateway's own.", help="Make keys of the gateway's own."
)
def keys() -> None:
    """Keys of the gateway's own."""


@keys.command(
    cls=Command,
    name="new",
    short_help="Make a key.",
    help="Make a key and print it, once, with the lines that let it in. They go into the configuration, and hold its "
    "hash alone.",
    examples=("ipfs-accel serve keys new --owner alice",),
)
@click.option("--owner", required=True, help="Whose it is; also names its table in the configuration.")
@pass_state
def new(state: State, owner: str) -> None:
    """Make a key."""
    key = f"ia-{secrets.token_urlsafe(_KEY_BYTES)}"
    name = "-".join(re.findall(_NAME, owner)).lower()
    if not name:
        raise ConfigError(f"--owner {owner!r}: expected a name with letters or digits in it")
    lines = f'[gateway.keys.{name}]\nowner = {json.dumps(owner, ensure_ascii=False)}\nhash = "{hash_of(key)}"'
    if state.json:
        click.echo(json.dumps({"key": key, "name": name, "owner": owner, "hash": hash_of(key)}))
        return
    click.echo(key)
    click.echo(f"\nThis is the only time that the key is shown. Put this into the configuration:\n\n{lines}", err=True)
