"""`ipfs-accel serve`: the gateway from the command line."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from importlib import import_module
from typing import Any

import click
from ipfs_accel.commands import Group, State, pass_state

from ._console.links import tell_link, tell_links_on_signal
from ._run import GUIDE, Gateway
from ._serve import serve as run
from ._source import Source

__all__ = ["serve"]


_COMMANDS = {"keys": "_cli_keys", "spend": "_spend_cli"}


class _Serve(Group):
    """Loads a command when it is used, and none to serve."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        del ctx
        return [*_COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        found: click.Command = getattr(import_module(f".{_COMMANDS[cmd_name]}", __package__), cmd_name)
        return found


@click.group(
    cls=_Serve,
    invoke_without_command=True,
    short_help="Serve models to any client, behind one address.",
    help="Serve what is configured (endpoints, routes and aliases) to clients of OpenAI's, Anthropic's, Ollama's and "
    "Gemini's APIs. With nothing configured it serves the small model of the embedded engine, as `guide`. Settings "
    "stand in the configuration's table `gateway`; SIGHUP, and any change of its files, lets them hold anew. SIGTERM "
    "and Ctrl-C let what is being answered end; a second one does not.",
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
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processes that share the port. Default: 1.")
@click.option(
    "--check", is_flag=True, help="Say all that is wrong with the configuration; asks no server, and serves nothing."
)
@pass_state
@click.pass_context
def serve(context: click.Context, state: State, /, *, check: bool, **given: Any) -> None:
    """Serve."""
    if context.invoked_subcommand is not None:
        return
    over = {name: value for name, value in given.items() if value is not None}
    source = Source(state.load_config, over)
    if check:
        from ._check import check as check_all  # noqa: PLC0415 - servers do not

        check_all(state, source)
        return
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    if not state.quiet:
        logging.getLogger("ipfs_accel_gateway.life").setLevel(logging.INFO)
    asyncio.run(run(source, lambda gateway: _tell_ready(state, gateway), state.config))


def _tell_ready(state: State, gateway: Gateway) -> None:
    url = _url(gateway.address)
    metrics = None if gateway.metrics_address is None else f"{_url(gateway.metrics_address)}/metrics"
    if gateway.console_address is not None:
        tell_links_on_signal(gateway)
    if state.json:
        pages = {"metrics": metrics, "console": gateway.console_link()}
        told = {name: where for name, where in pages.items() if where is not None}
        click.echo(json.dumps({"url": url, "pid": os.getpid()} | told))
        return
    if state.quiet:
        return
    key = "$KEY" if gateway.settings.wants_keys else "none"
    model = GUIDE if gateway.is_guide else "MODEL"
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
    tell_link(gateway)


def _url(address: tuple[str, int]) -> str:
    host, port = address
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
