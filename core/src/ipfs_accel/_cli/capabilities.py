"""`ipfs-accel capabilities`: what endpoints and models can do, as a table, JSON or a page."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from shutil import get_terminal_size
from typing import Any

import click

from ipfs_accel.capabilities import Support
from ipfs_accel.errors import AccelError, InvalidRequestError
from ipfs_accel.types import Capabilities

from . import kinds
from .command import Command, State, pass_state
from .inspect import Inspection
from .listing import NOT_ASKED, Listing, inspect_place, list_models
from .output import emit, is_terminal, note, table, write, write_line
from .survey import end_skipped, model_facts
from .values import plain

__all__ = ["capabilities"]


@click.command(
    cls=Command,
    short_help="Tell what endpoints and models can do.",
    help="Tell what each NAME, an endpoint or endpoint/model, can do: yes, no or unknown, and who says so. Without it: "
    "all endpoints. A server is asked only for a model that is named, and for its models with --models.",
    examples=(
        "ipfs-accel capabilities",
        "ipfs-accel capabilities openai llvm",
        "ipfs-accel capabilities openai/gpt-5.4-mini",
        "ipfs-accel capabilities --models --json | jq '.models.openai.models[].id'",
        "ipfs-accel capabilities --html capabilities.html",
    ),
)
@click.argument("names", nargs=-1, metavar="[NAME]...", type=kinds.MODEL)
@click.option("--models", "with_models", is_flag=True, help="Add the models of each endpoint.")
@click.option(
    "--html", "page", metavar="FILE", type=kinds.FILE, help="Write a page with all of it, models included; - is stdout."
)
@click.option("--offline", is_flag=True, help="Ask no server: the models are those of the plugins' dated catalogues.")
@click.option("--raw", is_flag=True, help="With --json: add what the provider itself answered.")
@pass_state
def capabilities(
    state: State, names: tuple[str, ...], *, with_models: bool, page: str | None, offline: bool, raw: bool
) -> None:
    """Tell what endpoints and models can do."""
    if with_models or page:
        _check_endpoints(names)
    found: dict[str, Capabilities] = {}
    skipped: dict[str, str] = {}
    with state.client() as client:
        inspection = Inspection(client.config, state) if with_models or page or not names else None
        for name in names or client.endpoints():
            try:
                trouble = inspection and inspection.trouble(name)
                if trouble:
                    raise trouble
                found[name] = client.capabilities(name, offline=offline)
            except AccelError as error:
                if names:
                    raise
                skipped[name] = error.message
        listings = None
        if inspection and (with_models or page):
            listings = list_models(client, inspection, found, asks=not offline)
    document: dict[str, Any] = {
        "capabilities": {name: plain(each, raw=raw) for name, each in found.items()},
        "skipped": skipped,
    }
    if inspection and listings is not None:
        document["endpoints"] = {name: plain(inspect_place(inspection, name)) for name in [*found, *skipped]}
        document["models"] = {name: plain(each, raw=raw) for name, each in listings.items()}
    if page:
        _write_page(state, page, document)
    else:
        emit(state, document, lambda: _show(state, found, listings or {}))
    end_skipped(state, skipped, names)


def _check_endpoints(names: Iterable[str]) -> None:
    for name in names:
        if "/" in name:
            raise InvalidRequestError(
                f"{name!r}: --models and --html are about endpoints",
                hint=f"name the endpoint alone: {name.partition('/')[0]}",
            )


def _write_page(state: State, where: str, document: dict[str, Any]) -> None:
    from .report import render  # noqa: PLC0415 - few runs write a page

    text = render(document, time.time())
    if where == "-":
        write(text)
        return
    # A name may hold what UTF-8 cannot.
    Path(where).write_text(text, encoding="utf-8", errors="replace")
    emit(state, {"html": where, **document}, lambda: note(state, f"wrote {where}"))


def _show(state: State, found: Mapping[str, Capabilities], listings: Mapping[str, Listing]) -> None:
    facts: dict[str, dict[str, Support]] = {name: _supports(each) for name, each in found.items()}
    known = [(name, listing, model) for name, listing in listings.items() for model in listing.models]
    if not is_terminal():
        for name, each in found.items():
            facts[name] |= {f"call {call}": Support("yes", "hook") for call in each.calls}
        facts |= {f"{name}/{model.id}": dict(sorted(model.features.items())) for name, _, model in known}
        rows = [(name, what, each.value, each.source) for name, told in facts.items() for what, each in told.items()]
        table(state, (), rows)
        return
    _matrix(state, facts)
    for name, each in found.items():
        if each.calls:
            write_line(f"\n{name}, own calls: {', '.join(each.calls)}")
    if listings:
        write_line("")
        table(
            state,
            ("model", "context", "$/M in", "$/M out", "features", "from"),
            [(f"{name}/{model.id}", *model_facts(model), listing.source) for name, listing, model in known],
        )
    for name, listing in listings.items():
        if listing.reason not in {None, NOT_ASKED}:
            note(state, f"{name}: no server told its models: {listing.reason}")


def _matrix(state: State, facts: Mapping[str, Mapping[str, Support]]) -> None:
    """Show names side by side, in as many tables as the width of the terminal takes."""
    whats = list(dict.fromkeys([what for known in facts.values() for what in known]))
    cells = {name: [_cell(known.get(what)) for what in whats] for name, known in facts.items()}
    left = get_terminal_size().columns - max([len(what) for what in whats], default=0)
    groups: list[list[str]] = []
    room = 0
    for name, column in cells.items():
        width = max(len(text) for text in (name, *column)) + 2
        if not groups or width > room:
            groups.append([])
            room = left
        groups[-1].append(name)
        room -= width
    for number, group in enumerate(groups):
        if number:
            write_line("")
        rows = [(what, *[cells[name][index] for name in group]) for index, what in enumerate(whats)]
        table(state, ("", *group), rows)


def _cell(support: Support | None) -> str:
    """Return who says so only where that is not the plugin's code."""
    if support is None:
        return ""
    return support.value if support.source == "hook" else str(support)


def _supports(each: Capabilities) -> dict[str, Support]:
    """Return operations and the model's features; what is known of the model wins."""
    features = sorted(each.model.features) if each.model else []
    return {what: each.supports(what) for what in dict.fromkeys([*each.operations, *features])}
