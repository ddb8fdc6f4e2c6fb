"""What rows came to, added up."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ipfs_accel.errors import AccelError
from ipfs_accel.types import Answer

__all__ = ["OK", "Outcome", "Totals"]

OK = "ok"


class Outcome:
    """What became of one row, but for its line.

    Attributes:
        kind: `ok`, or the class of its error.
        rounds: How often the run asked for it; each may have had several attempts.
        input_tokens: None if nobody told; so the others.
        output_tokens: Likewise.
        cost: US dollars.
        is_doubtful: Whether more may have been paid for it than for one answer, as one that was paid for may not have
            come.
    """

    __slots__ = ("cost", "input_tokens", "is_doubtful", "kind", "output_tokens", "rounds")

    def __init__(
        self,
        kind: str,
        rounds: int,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cost: float | None = None,
        *,
        is_doubtful: bool = False,
    ) -> None:
        self.kind = kind
        self.rounds = rounds
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens
        self.cost = cost
        self.is_doubtful = is_doubtful

    @classmethod
    def of(cls, answer: Answer, rounds: int) -> Outcome:
        """Return that of an answer."""
        usage: Any = getattr(answer, "usage", None)
        call = answer.call
        return cls(
            OK,
            rounds,
            None if usage is None else usage.input_tokens,
            None if usage is None else usage.output_tokens,
            None if call is None else call.cost,
            is_doubtful=call is not None and bool(call.tried) and any(each.maybe_billed for each in call.tried),
        )

    @classmethod
    def of_error(cls, error: AccelError, rounds: int) -> Outcome:
        """Return that of a failure, whose cost nobody tells; what was never sent has none."""
        is_doubtful = bool(getattr(error, "maybe_billed", False))
        return cls(type(error).__name__, rounds, cost=None if is_doubtful else 0.0, is_doubtful=is_doubtful)

    def written(self) -> bytes:
        """Return it as a journal has it."""
        return b"%s %d %s %s %s %d" % (
            self.kind.encode("ascii"),
            self.rounds,
            _number(self.input_tokens),
            _number(self.output_tokens),
            _number(self.cost),
            self.is_doubtful,
        )

    @classmethod
    def read(cls, fields: list[bytes]) -> Outcome:
        """Return what a journal has."""
        kind, rounds, tokens_in, tokens_out, cost, doubt = fields
        return cls(
            kind.decode("ascii"),
            int(rounds),
            None if tokens_in == b"-" else int(tokens_in),
            None if tokens_out == b"-" else int(tokens_out),
            None if cost == b"-" else float(cost),
            is_doubtful=doubt == b"1",
        )


def _number(value: float | None) -> bytes:
    return b"-" if value is None else repr(value).encode("ascii")


class Totals:
    """Sums over rows.

    Attributes:
        rows: How many have an end.
        failures: How many of these failed, by the class of the error.
        input_tokens: As far as was told.
        output_tokens: Likewise.
        cost: Likewise, in US dollars.
        unpriced: Rows whose cost nobody told.
        doubtful: Rows for which more may have been paid than for one answer.
    """

    __slots__ = ("cost", "doubtful", "failures", "input_tokens", "output_tokens", "rows", "unpriced")

    def __init__(self) -> None:
        self.rows = self.input_tokens = self.output_tokens = self.unpriced = self.doubtful = 0
        self.cost = 0.0
        self.failures: Counter[str] = Counter()

    @property
    def failed(self) -> int:
        """How many failed."""
        return self.failures.total()

    def add(self, one: Outcome, sign: int = 1) -> None:
        """Count a row, or take one out again."""
        self.rows += sign
        self.input_tokens += sign * (one.input_tokens or 0)
        self.output_tokens += sign * (one.output_tokens or 0)
        self.doubtful += sign * one.is_doubtful
        if one.cost is None:
            self.unpriced += sign
        else:
            self.cost += sign * one.cost
        if one.kind != OK:
            self.failures[one.kind] += sign

    def merge(self, other: Totals) -> None:
        """Add the sums of others."""
        for name in ("rows", "input_tokens", "output_tokens", "cost", "unpriced", "doubtful"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.failures.update(other.failures)

    def spent(self) -> Totals:
        """Return what was used and paid, without the rows."""
        found = Totals()
        found.merge(self)
        found.rows, found.failures = 0, Counter()
        return found

    def document(self) -> dict[str, Any]:
        """Return them as JSON values."""
        names = ("rows", "input_tokens", "output_tokens", "cost", "unpriced", "doubtful")
        return {name: getattr(self, name) for name in names} | {"failures": dict(+self.failures)}

    @classmethod
    def of(cls, document: dict[str, Any]) -> Totals:
        """Return what `document` has given."""
        found = cls()
        for name, value in document.items():
            setattr(found, name, Counter(value) if name == "failures" else value)
        return found
