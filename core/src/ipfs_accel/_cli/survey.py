"""`ipfs-accel models`, `find` and `backends`: what there is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import click

from ipfs_accel.hookspecs import OPERATIONS
from ipfs_accel.installing import install_command
from ipfs_accel.types import Match, ModelInfo

from . import arguments, failures, kinds
from .command import Command, State, pass_state
from .inspect import is_amiss
from .output import emit, note, table
from .values import plain

__all__ = ["backends", "end_skipped", "find", "model_facts", "models", "note_idle"]


@click.command(
    cls=Command,
    short_help="List the models that endpoints serve.",
    help="List the models that each ENDPOINT serves; without one, those of all endpoints, asked side by side.",
    examples=(
        "ipfs-accel models openai",
        "ipfs-accel models | grep mini",
        "ipfs-accel models --json | jq '.models[].name'",
    ),
)
@click.argument("endpoints", nargs=-1, metavar="[ENDPOINT]...", type=kinds.ENDPOINT)
@click.option("--raw", is_flag=True, help="With --json: add what the provider itself answered.")
@pass_state
def models(state: State, endpoints: tuple[str, ...], raw: bool) -> None:
    """List models."""
    with state.client() as client:
        if len(endpoints) == 1:
            name = endpoints[0]
            matches = [Match(endpoint=name, model=model) for model in client.list_models(name)]
            skipped: Mapping[str, str] = {}
            unset: Collection[str] = ()
        else:
            found = client.find(endpoints=endpoints or None)
            matches, skipped, unset = list(found), found.skipped, found.unset
    matches.sort(key=lambda match: (match.endpoint, match.model.id))
    emit(
        state,
        {"models": [_match(match, raw=raw) for match in matches], "skipped": dict(skipped)},
        lambda: _show_models(state, matches),
    )
    end_skipped(state, skipped, endpoints, unset)


def _match(match: Match, *, raw: bool) -> dict[str, Any]:
    return {"name": match.name, **plain(match, raw=raw)}


def _show_models(state: State, matches: Iterable[Match]) -> None:
    table(
        state,
        ("model", "context", "$/M in", "$/M out", "features"),
        [(match.name, *model_facts(match.model)) for match in matches],
    )


def model_facts(model: ModelInfo) -> tuple[Any, ...]:
    """Return context window, prices and features as cells of a table."""
    features = [name for name, support in sorted(model.features.items()) if support.value == "yes"]
    return model.context_window, _price(model.input_price), _price(model.output_price), ", ".join(features)


def _price(price: float | None) -> str | None:
    return None if price is None else f"{price:g}"


def note_idle(state: State, idle: Mapping[str, str | None]) -> None:
    """Name the endpoints that nobody has set up, each with what was wrong with it, in one line."""
    if not idle:
        return
    keyless = next((name for name, reason in idle.items() if "needs a key" in (reason or "")), None)
    first = "" if keyless is None else f"ipfs-accel keys set {keyless}; "
    note(state, f"not configured: {', '.join(idle)} - {first}ipfs-accel doctor tells what each needs")


def end_skipped(state: State, skipped: Mapping[str, str], named: Collection[str], unset: Collection[str] = ()) -> None:
    """Tell which endpoints are missing from the answer; that is a failure if they were asked for by name.

    Those that nobody has set up (`unset`), and nobody has named, are one line together.
    """
    idle = {name: skipped[name] for name in unset if name not in named}
    for name, reason in skipped.items():
        if name not in idle:
            note(state, f"skipped {name}: {reason}")
    note_idle(state, idle)
    if set(named) & set(skipped):
        raise click.exceptions.Exit(failures.FAILURE)


@click.command(
    cls=Command,
    short_help="Find models by what they can do and cost.",
    help="Find models over all endpoints. Certain matches come first; the others show what nobody could confirm.",
    examples=(
        "ipfs-accel find --operation chat --feature tools --feature vision",
        "ipfs-accel find --min-context 128000 --max-input-price 1 -e openai",
        "ipfs-accel find --operation embed --healthy",
        "ipfs-accel find --offline --operation chat --max-output-price 1",
    ),
)
@click.option("--operation", type=click.Choice(OPERATIONS), metavar="NAME", help=f"One of {', '.join(OPERATIONS)}.")
@click.option(
    "--feature",
    "features",
    multiple=True,
    metavar="NAME",
    type=kinds.FEATURE,
    help="Such as tools or vision. Repeatable.",
)
@click.option("--min-context", type=int, metavar="TOKENS", help="What the context window has to hold.")
@click.option("--max-input-price", type=float, metavar="USD", help="Most US dollars per million input tokens.")
@click.option("--max-output-price", type=float, metavar="USD", help="Most US dollars per million output tokens.")
@click.option("--healthy", is_flag=True, help="Only of endpoints that serve now; each is checked.")
@arguments.offline_option
@click.option(
    "-e",
    "--endpoint",
    "endpoints",
    multiple=True,
    metavar="NAME",
    type=kinds.ENDPOINT,
    help="Where to look. Default: everywhere. Repeatable.",
)
@click.option("--raw", is_flag=True, help="With --json: add what the provider itself answered.")
@pass_state
def find(
    state: State,
    *,
    operation: str | None,
    features: tuple[str, ...],
    min_context: int | None,
    max_input_price: float | None,
    max_output_price: float | None,
    healthy: bool,
    offline: bool,
    endpoints: tuple[str, ...],
    raw: bool,
) -> None:
    """Find models."""
    with state.client() as client:
        found = client.find(
            operation=operation,
            features=features,
            min_context=min_context,
            max_input_price=max_input_price,
            max_output_price=max_output_price,
            healthy=healthy,
            endpoints=endpoints or None,
            offline=offline,
        )
    document = {"matches": [_match(match, raw=raw) for match in found], "skipped": dict(found.skipped)}
    titles = ("model", "unconfirmed", "context", "$/M in", "$/M out", "features")
    rows = [(match.name, ", ".join(match.unknown), *model_facts(match.model)) for match in found]
    emit(state, document, lambda: table(state, titles, rows))
    if not found.matches:
        note(state, "no model fits")
    end_skipped(state, found.skipped, endpoints, found.unset)


@click.command(
    cls=Command,
    short_help="List the installed backends.",
    help="List the backends that are installed, whether they may load, and if not, why, and the hosts that are set up, "
    "which are endpoints of a backend; with --json, and as notes, the other hosts and the middleware around calls too. "
    "None is imported for that.",
    examples=("ipfs-accel backends", "ipfs-accel backends --json | jq '.backends[].name'"),
)
@pass_state
def backends(state: State) -> None:
    """List the installed backends."""
    with state.client() as client:
        records, middleware, wanted = client.plugins(), client.middleware(), client.config.plugins.middleware
        hosts, endpoints = client.hosts(), client.endpoints()
    idle = [each.name for each in hosts if each.is_usable and each.name not in endpoints]
    shown = [*records, *[each for each in hosts if each.name in endpoints or is_amiss(each)]]
    rows = [(each.name, each.state, each.distribution, each.version, each.reason) for each in shown]
    titles = ("backend", "state", "distribution", "version", "reason")
    document = {"backends": plain(records), "hosts": plain(hosts), "middleware": plain(middleware)}
    emit(state, document, lambda: table(state, titles, rows))
    if idle:
        note(state, f"hosts that only want a key or a server: {', '.join(idle)}")
    around = [f"{each.name} ({each.state})" for each in middleware if each.name in wanted]
    if around:
        note(state, f"middleware, outermost first: {', '.join(around)}")
    if not records:
        command = install_command("ipfs-accel[openai]", "ipfs-accel-openai")
        note(state, f"no backend is installed; run: {command}")
