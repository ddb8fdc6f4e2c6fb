"""`ipfs-accel estimate`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from ipfs_accel.types import Bounds, ChatOptions, Estimate

from . import arguments
from .chat import conversation
from .command import Command, State, pass_state
from .output import emit, money, note, table
from .values import plain

__all__ = ["estimate"]


@click.command(
    cls=Command,
    short_help="Tell what a chat would take and cost.",
    help="Tell how many tokens a chat with the same arguments would take, and what it would cost, between bounds. No "
    "server is asked, and no key is needed. What is piped in stands before PROMPT.",
    examples=(
        'ipfs-accel estimate -m openai/gpt-5.4-mini "Why is the sky blue?" -o max_tokens=200',
        "ipfs-accel estimate -m claude/claude-sonnet-4-5 --json < book.txt | jq .cost.high",
    ),
)
@click.argument("prompt", nargs=-1)
@arguments.model_option
@arguments.system_option
@arguments.settings_option(ChatOptions)
@arguments.extra_option
@arguments.attach_option
@arguments.schema_option
@pass_state
def estimate(
    state: State,
    prompt: tuple[str, ...],
    *,
    model: str | None,
    system: str | None,
    settings: tuple[str, ...],
    extra: tuple[str, ...],
    attach: tuple[str, ...],
    schema: str | None,
) -> None:
    """Tell what a chat would take and cost."""
    options = arguments.parse_options(ChatOptions, settings, extra)
    if schema is not None:
        options["response_format"] = arguments.parse_schema(schema)
    with state.client() as client:
        arguments.check_model(model, client.config.default_model, "estimate")
        messages = conversation(prompt, system, attach, 'give it as an argument ("…"), or pipe it in')
        found = client.estimate(model, messages, **options)
    emit(state, plain(found), lambda: table(state, ("", "at least", "at most", "by"), _rows(found)))
    for part in found.unknown:
        note(state, f"nobody here knows how many tokens this takes: {part}")
    if found.cost is None:
        note(state, "the price of the model is not known")


def _rows(found: Estimate) -> Iterator[tuple[str, str, str | None, str | None]]:
    yield "tokens in", *_shown(found.input_tokens), found.method
    yield "tokens out", *_shown(found.output_tokens), found.output_method
    if found.cost is not None:
        by_date = found.prices == "catalogue" and found.catalogue_date
        prices = f"catalogue of {found.catalogue_date}" if by_date else found.prices
        high = None if found.cost.high is None else money(found.cost.high)
        yield "cost", money(found.cost.low), high, prices


def _shown(bounds: Bounds) -> tuple[str, str | None]:
    return f"{bounds.low:.0f}", None if bounds.high is None else f"{bounds.high:.0f}"
