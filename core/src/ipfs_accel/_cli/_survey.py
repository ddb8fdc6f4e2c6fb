"""`ipfs-accel models`, `find`, `capabilities` and `backends`: what there is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import click

from ipfs_accel.capabilities import Capabilities, Match, Support
from ipfs_accel.errors import AccelError
from ipfs_accel.hookspecs import OPERATIONS
from ipfs_accel.types import ModelInfo

from . import _arguments as arguments
from . import _failures
from ._command import Command, State, pass_state
from ._inspect import Inspection
from ._output import emit, is_terminal, note, table
from ._values import plain

__all__ = ["backends", "capabilities", "find", "models"]


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
@click.argument("endpoints", nargs=-1, metavar="[ENDPOINT]...", shell_complete=arguments.complete_endpoints)
@click.option("--raw", is_flag=True, help="With --json: add what the provider itself answered.")
@pass_state
def models(state: State, endpoints: tuple[str, ...], raw: bool) -> None:
    """List models."""
    with state.client() as client:
        if len(endpoints) == 1:
            name = endpoints[0]
            matches = [Match(endpoint=name, model=model) for model in client.list_models(name)]
            skipped: Mapping[str, str] = {}
        else:
            found = client.find(endpoints=endpoints or None)
            matches, skipped = list(found), found.skipped
    matches.sort(key=lambda match: (match.endpoint, match.model.id))
    emit(
        state,
        {"models": [_match(match, raw=raw) for match in matches], "skipped": dict(skipped)},
        lambda: _show_models(state, matches),
    )
    _end_skipped(state, skipped, endpoints)


def _match(match: Match, *, raw: bool) -> dict[str, Any]:
    return {"name": match.name, **plain(match, raw=raw)}


def _show_models(state: State, matches: Iterable[Match]) -> None:
    table(
        state,
        ("model", "context", "$/M in", "$/M out", "features"),
        [(match.name, *_facts(match.model)) for match in matches],
    )


def _facts(model: ModelInfo) -> tuple[Any, ...]:
    features = [name for name, support in sorted(model.features.items()) if support.value == "yes"]
    return model.context_window, _price(model.input_price), _price(model.output_price), ", ".join(features)


def _price(price: float | None) -> str | None:
    return None if price is None else f"{price:g}"


def _end_skipped(state: State, skipped: Mapping[str, str], named: Collection[str]) -> None:
    """Tell which endpoints are missing from the answer; that is a failure if they were asked for by name."""
    for name, reason in skipped.items():
        note(state, f"skipped {name}: {reason}")
    if set(named) & set(skipped):
        raise click.exceptions.Exit(_failures.FAILURE)


@click.command(
    cls=Command,
    short_help="Find models by what they can do and cost.",
    help="Find models over all endpoints. Certain matches come first; the others show what nobody could confirm.",
    examples=(
        "ipfs-accel find --operation chat --feature tools --feature vision",
        "ipfs-accel find --min-context 128000 --max-input-price 1 -e openai",
    ),
)
@click.option("--operation", type=click.Choice(OPERATIONS), metavar="NAME", help=f"One of {', '.join(OPERATIONS)}.")
@click.option("--feature", "features", multiple=True, metavar="NAME", help="Such as tools or vision. Repeatable.")
@click.option("--min-context", type=int, metavar="TOKENS", help="What the context window has to hold.")
@click.option("--max-input-price", type=float, metavar="USD", help="Most US dollars per million input tokens.")
@click.option("--max-output-price", type=float, metavar="USD", help="Most US dollars per million output tokens.")
@click.option(
    "-e",
    "--endpoint",
    "endpoints",
    multiple=True,
    metavar="NAME",
    shell_complete=arguments.complete_endpoints,
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
            endpoints=endpoints or None,
        )
    document = {"matches": [_match(match, raw=raw) for match in found], "skipped": dict(found.skipped)}
    titles = ("model", "unconfirmed", "context", "$/M in", "$/M out", "features")
    rows = [(match.name, ", ".join(match.unknown), *_facts(match.model)) for match in found]
    emit(state, document, lambda: table(state, titles, rows))
    if not found.matches:
        note(state, "no model fits")
    _end_skipped(state, found.skipped, endpoints)


@click.command(
    cls=Command,
    short_help="Tell what endpoints and models can do.",
    help="Tell what each NAME, an endpoint or endpoint/model, can do: yes, no or unknown, and who says so. Without it: "
    "all endpoints. Only for a model a server may be asked.",
    examples=(
        "ipfs-accel capabilities",
        "ipfs-accel capabilities openai llvm",
        "ipfs-accel capabilities openai/gpt-5.4-mini",
    ),
)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=arguments.complete_models)
@click.option("--raw", is_flag=True, help="With --json: add what the provider itself answered.")
@pass_state
def capabilities(state: State, names: tuple[str, ...], raw: bool) -> None:
    """Tell what endpoints and models can do."""
    found: dict[str, Capabilities] = {}
    skipped: dict[str, str] = {}
    with state.client() as client:
        inspection = None if names else Inspection(client.config, state)
        for name in names or client.endpoints():
            try:
                trouble = inspection and inspection.trouble(name)
                if trouble:
                    raise trouble
                found[name] = client.capabilities(name)
            except AccelError as error:
                if names:
                    raise
                skipped[name] = error.message
    document = {"capabilities": {name: plain(each, raw=raw) for name, each in found.items()}, "skipped": skipped}
    emit(state, document, lambda: _show_capabilities(state, found))
    _end_skipped(state, skipped, names)


def _show_capabilities(state: State, found: Mapping[str, Capabilities]) -> None:
    facts = {name: _supports(each) for name, each in found.items()}
    if not is_terminal():
        rows = [(name, what, each.value, each.source) for name, known in facts.items() for what, each in known.items()]
        table(state, (), rows)
        return
    whats = list(dict.fromkeys([what for known in facts.values() for what in known]))
    table(state, ("", *facts), [(what, *[known.get(what, "") for known in facts.values()]) for what in whats])


def _supports(each: Capabilities) -> dict[str, Support]:
    """Return operations and the model's features; what is known of the model wins."""
    features = sorted(each.model.features) if each.model else []
    known = {what: each.supports(what) for what in dict.fromkeys([*each.operations, *features])}
    return known | {f"call {name}": Support("yes", "hook") for name in each.calls}


@click.command(
    cls=Command,
    short_help="List the installed backends.",
    help="List the backends that are installed, whether they may load, and if not, why. None is imported for that.",
    examples=("ipfs-accel backends", "ipfs-accel backends --json | jq '.backends[].name'"),
)
@pass_state
def backends(state: State) -> None:
    """List the installed backends."""
    with state.client() as client:
        records = client.plugins()
    rows = [(each.name, each.state, each.distribution, each.version, each.reason) for each in records]
    titles = ("backend", "state", "distribution", "version", "reason")
    emit(state, {"backends": plain(records)}, lambda: table(state, titles, rows))
    if not records:
        note(state, 'no backend is installed; run: pip install "ipfs-accel[openai]"')
