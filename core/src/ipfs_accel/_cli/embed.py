"""`ipfs-accel embed`: a vector, or what was wrong, for each line."""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import click

from ipfs_accel._client.clients import Client
from ipfs_accel.errors import (
    AccelError,
    BadRequestError,
    InvalidRequestError,
    InvalidResponseError,
    UnprocessableEntityError,
)
from ipfs_accel.types import CallInfo, EmbedOptions, EmbedPartial, EmbedResponse, Timing, Usage, Vector
from ipfs_accel.wire.several import added

from . import arguments, failures
from .command import Command, State, pass_state
from .live import show_usage
from .output import cut, emit, is_terminal, note, table, write_line
from .progress import Bar
from .values import plain

__all__ = ["embed"]

SHOWN_AFTER = 0.2
"""Seconds before which no progress is shown."""

_SHOWN_NUMBERS = 4
_SHOWN_TEXT = 40
_TOO_LARGE = 413
_MOST_REFUSED = 8
"""Texts that are refused alone, before any has a vector, after which no more are asked: the request is at fault."""


@click.command(
    cls=Command,
    short_help="Turn texts into vectors.",
    help="Turn texts into vectors: each TEXT, or each line that is piped in. Piped on, each vector is a line of JSON, "
    'and a line of which there is none, such as a blank one, is {"error": …} in its place; with --json, null among the '
    "vectors of one document, and told below errors; with --jsonl, an object a line with its number. What is more than "
    "a backend takes in one request goes in several, and of what is refused its halves are asked, down to the single "
    "text. The exit code is 0 only if each text has a vector.",
    examples=(
        'ipfs-accel embed -m openai/text-embedding-3-small "one text" "another"',
        "ipfs-accel embed -m llvm/ < lines.txt > vectors.jsonl",
        "ipfs-accel embed -m llvm/ hello --json | jq '.vectors[0] | length'",
        "ipfs-accel embed -m llvm/ --jsonl < lines.txt | jq 'select(.error).line'",
    ),
)
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@arguments.model_option
@arguments.settings_option(EmbedOptions)
@arguments.extra_option
@click.option("--jsonl", is_flag=True, help="Write an object a line: its number, and its vector or error.")
@click.option("--usage", is_flag=True, help="Write tokens and times to stderr afterwards.")
@click.option("--raw", is_flag=True, help="With --json: add what the provider itself answered.")
@pass_state
def embed(
    state: State,
    texts: tuple[str, ...],
    *,
    model: str | None,
    settings: tuple[str, ...],
    extra: tuple[str, ...],
    jsonl: bool,
    usage: bool,
    raw: bool,
) -> None:
    """Turn texts into vectors."""
    if jsonl and state.json:
        raise InvalidRequestError("--json and --jsonl exclude each other")
    options = arguments.parse_options(EmbedOptions, settings, extra)
    with state.client() as client, Bar(state, "embedding", amount="{:.0f}".format) as bar:
        arguments.check_model(model, client.config.default_model, "embed")
        work = _Work(client, model, list(texts) or _lines(), options, bar)
        work.perform()
    _show(state, work, jsonl=jsonl, raw=raw)
    if usage and not state.json:
        show_usage(work.answer())
    if work.fault is not None:
        raise work.fault
    if work.errors:
        first = min(work.errors)
        more = f", and {len(work.errors) - 1} more" if len(work.errors) > 1 else ""
        note(state, f"no vector: line {first + 1}: {failures.redact(work.errors[first].message, state)}{more}")
        said = [error for place, error in work.errors.items() if work.texts[place].strip()]
        raise click.exceptions.Exit(failures.FAILURE if work.vectors else failures.exit_code(said[0]))


def _lines() -> list[str]:
    """Return the lines of what is piped in, by line breaks alone; `splitlines` knows a dozen other ends of a line."""
    return [line.removesuffix("\r") for line in arguments.read_stdin().split("\n")]


class _Work:
    """Texts, and what became of each.

    Attributes:
        texts: In their order.
        vectors: By the positions of their texts.
        errors: Likewise, for texts that were refused.
        fault: What ended the work before all was asked; None if nothing did.
    """

    def __init__(self, client: Client, model: str | None, texts: list[str], options: dict[str, Any], bar: Bar) -> None:
        self.texts = texts
        self.vectors: dict[int, Vector] = {}
        self.errors: dict[int, AccelError] = {}
        self.fault: AccelError | None = None
        self._client = client
        self._model = model
        self._options = options
        self._bar = bar
        self._answers: list[EmbedResponse] = []
        self._usages: list[Usage] = []
        self._costs: list[float | None] = []
        self._started = time.monotonic()
        self._is_shown = False

    def perform(self) -> None:
        """Ask for all, and of what is refused for less at a time.

        Raises:
            AccelError: There is nothing to ask for, or not one vector came, and not because each text was refused.
        """
        said = [position for position, text in enumerate(self.texts) if text.strip()]
        if not said:
            raise InvalidRequestError("there are no texts", hint='give them as arguments ("…") or pipe lines in')
        for position in set(range(len(self.texts))).difference(said):
            self.errors[position] = InvalidRequestError("it is blank: there is nothing to make a vector of")
        waiting = deque([said])
        while waiting and self.fault is None:
            waiting.extendleft(reversed(self._ask(waiting.popleft())))
        if not self.vectors and (self.fault is not None or len(said) == 1):
            raise self.fault or self.errors[said[0]]

    def _ask(self, some: list[int]) -> list[list[int]]:
        """Ask for some texts; return what is to be asked next."""
        before = len(self.vectors) + len(self.errors)

        def told(done: int, total: int) -> None:
            # What one request does is over when it could be shown, and so is what takes no time.
            self._is_shown = self._is_shown or (done < total and time.monotonic() - self._started >= SHOWN_AFTER)
            if self._is_shown:
                self._bar.bytes(before + done, len(self.texts))

        try:
            texts = [self.texts[position] for position in some]
            answer = self._client.embed(self._model, texts, **self._options, on_progress=told)
        except AccelError as error:
            return self._refused(some, error)
        self._answers.append(answer)
        self._keep(dict(zip(some, answer.vectors, strict=True)), answer.usage, answer.cost, answer.call)
        return []

    def _keep(
        self, vectors: dict[int, Vector], usage: Usage, cost: float | None, whose: CallInfo | AccelError | None
    ) -> None:
        if not self.vectors and whose is not None and whose.endpoint:
            # Vectors of two models do not go together, so that of a route the others have nothing more to say.
            self._model = f"{whose.endpoint}/{whose.model or ''}"
        self.vectors |= vectors
        self._usages.append(usage)
        self._costs.append(cost)

    def _refused(self, some: list[int], error: AccelError) -> list[list[int]]:
        failed = some
        if isinstance(error.partial, EmbedPartial):
            came = {some[place]: vector for place, vector in error.partial.vectors.items()}
            if came:
                self._keep(came, error.partial.usage, error.partial.cost, error)
            failed = [some[place] for place in error.partial.failed]
        if not _may_be_one_texts_own(error):
            self.fault = error
            self.errors |= dict.fromkeys(failed, error)
            return []
        rest = [position for position in some if position not in self.vectors and position not in set(failed)]
        if len(failed) == 1:
            self.errors[failed[0]] = error
            if not self.vectors and sum(1 for each in self.errors if self.texts[each].strip()) >= _MOST_REFUSED:
                self.fault = error
            return [rest] if rest else []
        middle = len(failed) // 2
        return [each for each in (failed[:middle], failed[middle:], rest) if each]

    def answer(self) -> EmbedResponse:
        """Return one answer of all, with a vector for each text that has one."""
        vectors = tuple([self.vectors[position] for position in sorted(self.vectors)])
        if len(self._answers) == len(self._usages) == 1:
            return self._answers[0]
        known = [cost for cost in self._costs if cost is not None]
        cost = sum(known) if len(known) == len(self._costs) else None
        found = EmbedResponse(vectors=vectors, usage=added(self._usages) if self._usages else Usage())
        if not self._answers:
            return found
        first = self._answers[0]
        timing = Timing(total=time.monotonic() - self._started)
        call = None if first.call is None else attrs.evolve(first.call, cost=cost, timing=timing, request_id=None)
        return attrs.evolve(found, model=first.model, call=call, raw=[answer.raw for answer in self._answers])


def _may_be_one_texts_own(error: AccelError) -> bool:
    """Whether a failure may be due to a text, or to how many there are, so that asking for fewer at a time helps."""
    own = (InvalidRequestError, BadRequestError, UnprocessableEntityError, InvalidResponseError)
    return isinstance(error, own) or getattr(error, "status", None) == _TOO_LARGE


def _show(state: State, work: _Work, *, jsonl: bool, raw: bool) -> None:
    if jsonl:
        for position, outcome in enumerate(_outcomes(state, work)):
            kind = "error" if isinstance(outcome, dict) else "vector"
            _write({"line": position + 1, kind: outcome})
        return
    emit(state, _document(state, work, raw=raw) if state.json else None, lambda: _show_lines(state, work))


def _outcomes(state: State, work: _Work) -> Iterator[list[float] | dict[str, Any]]:
    """Return the vector of each text as plain numbers, or what was wrong."""
    for position in range(len(work.texts)):
        vector = work.vectors.get(position)
        if vector is not None:
            yield plain(vector)
        else:
            error = work.errors.get(position) or work.fault
            message = "" if error is None else failures.redact(error.message, state)
            untold = "" if position in work.errors else "it was not asked for: "
            yield {"type": type(error).__name__, "message": untold + message}


def _document(state: State, work: _Work, *, raw: bool) -> dict[str, Any]:
    outcomes = list(_outcomes(state, work))
    errors = [{"line": place + 1, **each} for place, each in enumerate(outcomes) if isinstance(each, dict)]
    vectors = [None if isinstance(each, dict) else each for each in outcomes]
    return {**plain(work.answer(), raw=raw), "vectors": vectors, "errors": errors}


def _write(value: Any) -> None:
    write_line(json.dumps(value, ensure_ascii=False, allow_nan=False))


def _show_lines(state: State, work: _Work) -> None:
    outcomes = _outcomes(state, work)
    if not is_terminal():
        for outcome in outcomes:
            _write({"error": outcome} if isinstance(outcome, dict) else outcome)
        return
    rows = [_row(text, outcome) for text, outcome in zip(work.texts, outcomes, strict=True)]
    table(state, ("text", "numbers", "length", "begins with"), rows)


def _row(text: str, outcome: Sequence[float] | dict[str, Any]) -> tuple[Any, ...]:
    shown = cut(text, _SHOWN_TEXT)
    if isinstance(outcome, dict):
        return shown, None, None, f"no vector: {outcome['message']}"
    numbers = " ".join([f"{number:.4f}" for number in outcome[:_SHOWN_NUMBERS]])
    return shown, len(outcome), f"{math.hypot(*outcome):.4f}", f"{numbers} …"
