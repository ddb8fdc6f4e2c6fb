"""`ipfs-accel usage`."""

from __future__ import annotations

import re
import time
from pathlib import Path

import attrs
import click

from ipfs_accel.errors import ConfigError, InvalidRequestError

from . import kinds
from .command import Command, State, pass_state
from .output import emit, money, table

__all__ = ["usage"]

_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


@click.command(
    cls=Command,
    short_help="Add up what calls used and cost.",
    help="Add up tokens and cost from the usage log, by endpoint and model. The log is off until usage_log in the "
    "configuration, or IPFS_ACCEL_USAGE_LOG, names a file; it holds no prompts and no answers.",
    examples=("ipfs-accel usage --since 7d", "ipfs-accel usage --log other.jsonl --json"),
)
@click.option("--since", metavar="TIME", help="Only calls of the last 30m, 12h, 7d or 4w.")
@click.option("--log", metavar="FILE", type=kinds.FILE, help="Another log than the configured one.")
@pass_state
def usage(state: State, since: str | None, log: str | None) -> None:
    """Add up what calls used and cost."""
    from ipfs_accel._telemetry.usage import read_log, totals  # noqa: PLC0415 - --help needs no log

    path = log or state.load_config().usage_log
    if path is None:
        raise ConfigError(
            "no usage log is kept", hint="set usage_log in the configuration to a file, or give --log FILE"
        )
    start = 0.0 if since is None else time.time() - _seconds(since)
    there = Path(path).expanduser().exists() or log is not None
    found = totals(read_log(path, start)) if there else ()
    rows = [
        (each.endpoint, each.model, each.calls, each.input_tokens, each.output_tokens, money(each.cost), each.unpriced)
        for each in found
    ]
    document = {"log": str(path), "totals": [attrs.asdict(each) for each in found], "cost": sum(e.cost for e in found)}
    titles = ("endpoint", "model", "calls", "tokens in", "tokens out", "cost", "without price")
    emit(state, document, lambda: table(state, titles, rows))


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([mhdw])", text)
    if found is None:
        raise InvalidRequestError(f"--since {text!r}: expected a time such as 30m, 12h, 7d or 4w")
    return float(found[1]) * _SECONDS[found[2]]
