"""What is measured: one entry for each line of the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WORDS = 400  # events with text in a stream that comes at once
PACED_WORDS = 60  # in one that comes event by event
VECTORS, DIMENSIONS = 64, 1536
TEXT = "Why is the sky blue?"

Kind = Literal["cpu", "bytes", "objects", "process", "quotient"]
UNITS: dict[Kind, str] = {"cpu": "µs", "bytes": "bytes", "objects": "objects", "process": "ms", "quotient": "times"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table.

    Attributes:
        name: As it is shown, and as `--only` finds it.
        kind: `cpu`: CPU microseconds of a call; `bytes` and `objects`: what a call takes and leaves; `process`: CPU
            milliseconds of a whole process; `quotient`: one figure by another.
        action: The method of a subject, or what the process does.
        path: What stands before the API's own paths, which tells the server how to answer.
        calls: How many of them make a round. It is about ten milliseconds where it can be, for as long a busy machine
            leaves one alone.
        rounds: How many there are for each side of a pair.
        at_once: How many of them are under way together.
        per_call: How many events one call brings, where the figure is about one of them.
        peers: What ipfs-accel is compared with.
        of: The names of the two figures of a quotient.
    """

    name: str
    kind: Kind = "cpu"
    action: str = ""
    path: str = "v1"
    calls: int = 1
    rounds: int = 40
    at_once: int = 1
    per_call: int = 1
    peers: tuple[str, ...] = ()
    of: tuple[str, str] = ("", "")


def _streamed(name: str, action: str) -> tuple[Figure, ...]:
    by_hand = ("socket", "httpx")
    return (
        Figure(name=f"streamed event, burst, {name}", action=action, per_call=WORDS, peers=by_hand),
        Figure(
            name=f"streamed event, paced, {name}",
            action=action,
            path="paced/v1",
            rounds=16,
            per_call=PACED_WORDS,
            peers=by_hand,
        ),
    )


def _left(name: str, action: str, calls: int) -> tuple[Figure, ...]:
    return (
        Figure(name=f"bytes of a {name}", kind="bytes", action=action, calls=calls, rounds=1),
        Figure(name=f"objects left by a {name}", kind="objects", action=action, calls=calls, rounds=1),
    )


FIGURES = (
    Figure(name="chat, async, 8 at once", action="achat", calls=16, at_once=8),
    Figure(name="chat, async, 32 at once", action="achat", calls=32, at_once=32, peers=("openai",)),
    Figure(name="chat, async, 256 at once", action="achat", calls=256, rounds=10, at_once=256),
    Figure(
        name="chat, async, 256 by 8 at once", kind="quotient", of=("chat, async, 256 at once", "chat, async, 8 at once")
    ),
    Figure(name="chat, sync", action="chat", calls=10, peers=("openai",)),
    *_streamed("async", "astream"),
    *_streamed("sync", "stream"),
    Figure(name="64 embeddings of 1536, base64", action="embed", calls=2, peers=("httpx",)),
    Figure(name="64 embeddings of 1536, floats", action="embed", path="floats/v1", rounds=20, peers=("httpx",)),
    Figure(name="import, client and first call", kind="process", action="first", rounds=6, peers=("openai",)),
    Figure(name="ipfs-accel --help", kind="process", action="help", rounds=10),
    Figure(name="ipfs-accel chat to its first byte", kind="process", action="answer", rounds=6),
    *_left("chat, sync", "chat", 50),
    *_left("chat, async", "achat", 50),
    *_left("stream, sync", "stream", 10),
    *_left("stream, async", "astream", 10),
)
BY_NAME = {figure.name: figure for figure in FIGURES}


def chosen(only: list[str]) -> list[Figure]:
    """Return the figures whose name holds one of the texts, or all; with a quotient its two parts."""
    if not only:
        return list(FIGURES)
    wanted = {figure.name for figure in FIGURES if any(text.lower() in figure.name.lower() for text in only)}
    needed = wanted | {part for name in wanted for part in BY_NAME[name].of if part}
    return [figure for figure in FIGURES if figure.name in needed]
