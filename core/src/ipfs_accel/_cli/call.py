"""`ipfs-accel call`."""

from __future__ import annotations

from typing import Any

import click

from ipfs_accel._client.clients import Client
from ipfs_accel.errors import InvalidRequestError, PlanError
from ipfs_accel.types import Progress

from . import arguments, kinds
from .command import Command, State, pass_state
from .output import emit, write, write_json
from .progress import Bar
from .values import plain

__all__ = ["call"]


@click.command(
    cls=Command,
    short_help="Perform a backend's own call.",
    help="Perform a call that only this endpoint's backend has; its result is JSON. Without NAME: list those calls.",
    examples=("ipfs-accel call llvm", "ipfs-accel call llvm slots", "ipfs-accel call llvm infill -a input_prefix=def"),
)
@click.argument("endpoint", type=kinds.ENDPOINT)
@click.argument("name", required=False)
@click.option(
    "-a", "--argument", "values", multiple=True, metavar="NAME=VALUE", help="An argument; JSON or text. Repeatable."
)
@click.option("--raw", is_flag=True, help="Add what the provider itself answered.")
@pass_state
def call(state: State, endpoint: str, name: str | None, values: tuple[str, ...], raw: bool) -> None:
    """Perform a backend's own call, or list them."""
    given = arguments.parse_pairs(values, "-a")
    with state.client() as client:
        if name is None:
            if given:
                raise InvalidRequestError("arguments are given, but no call is named")
            calls = client.capabilities(endpoint).calls
            emit(state, {"calls": list(calls)}, lambda: write("".join([f"{each}\n" for each in calls])))
            return
        try:
            answer = client.call(endpoint, name, **given)
        except PlanError as error:
            if not error.is_stream:
                raise
            answer = _streamed(state, client, endpoint, name, given)
        write_json(plain(answer, raw=raw))


def _streamed(state: State, client: Client, endpoint: str, name: str, given: dict[str, Any]) -> Any:
    """Perform a call that comes as a stream and show how far it is."""
    with client.stream_call(endpoint, name, **given) as stream, Bar(state, name) as bar:
        for event in stream:
            if isinstance(event, Progress):
                bar.show(event)
    return stream.response
