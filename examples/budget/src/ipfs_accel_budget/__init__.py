"""A spend limit for ipfs-accel: when it is reached, no further call goes out."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import Any

import attrs
from ipfs_accel import AccelError, hookimpl
from ipfs_accel.errors import ConfigError
from ipfs_accel.hookspecs import OPERATIONS
from ipfs_accel.middleware import CallContext
from ipfs_accel.types import CallRecord

from ._ledger import FileLedger, Ledger, Spent

__all__ = ["Budget", "BudgetExceededError", "Spent"]

ASKS_MODELS = frozenset(
    {
        "chat",
        "stream",
        "complete",
        "stream_complete",
        "embed",
        "rerank",
        "classify",
        "moderate",
        "generate_image",
        "stream_image",
        "edit_image",
        "stream_image_edit",
        "vary_image",
        "transcribe",
        "stream_transcribe",
        "translate",
        "speak",
        "stream_speak",
        "predict",
        "create_batch",
        "request",
        "stream_request",
    }
)


class BudgetExceededError(AccelError):
    """The budget is used up, or cannot be kept; nothing was sent.

    Attributes:
        spent: What was counted until then.
    """

    spent: Spent = Spent()


def _not_negative(_budget: object, attribute: Any, value: float | None) -> None:
    if value is not None and value < 0:
        raise ConfigError(f"{attribute.name}: {value:g} is below 0")


def _limit(default: Any = None) -> Any:
    return attrs.field(default=default, validator=_not_negative)


@attrs.define(kw_only=True, eq=False)
class Budget:
    """The middleware; its fields are the settings.

    A call that has begun is finished: what is spent may be more than the limit by what was under way.

    Attributes:
        usd: US dollars that may be spent; None is no limit.
        tokens: Likewise, tokens of input and output together.
        daily: Whether it starts anew each day at 00:00 UTC.
        file: Where it is counted, an SQLite file that processes share; None counts this object's calls alone.
        free: Endpoints, models (`endpoint/model`) or operations that cost nothing where no price is known.
        unknown_usd: What something counts for whose cost nobody knows: a model without a price, a stream that was left
            early, a request that was sent and not answered. None means that nothing more goes out after it.
        unknown_tokens: Likewise for tokens.
    """

    usd: float | None = _limit()
    tokens: int | None = _limit()
    daily: bool = False
    file: str | None = None
    free: tuple[str, ...] = ("moderate",)
    unknown_usd: float | None = _limit()
    unknown_tokens: int | None = _limit()
    now: Callable[[], float] = attrs.field(default=time.time, init=False, repr=False)
    _ledger: Ledger = attrs.field(init=False, repr=False)
    _trouble: str | None = attrs.field(default=None, init=False, repr=False)

    api_version = 1

    def __attrs_post_init__(self) -> None:
        if self.usd is None and self.tokens is None:
            raise ConfigError("a budget needs a limit: usd or tokens")
        self._ledger = Ledger() if self.file is None else FileLedger(self.file)

    def spent(self) -> Spent:
        """Return what was counted so far; of today, if the budget is daily."""
        return self._ledger.get(self._period(self.now()))

    @hookimpl
    def rewrite_request(self, call: CallContext) -> None:
        """Let nothing out after the limit."""
        is_own_call = call.operation not in OPERATIONS
        if call.operation not in ASKS_MODELS and not is_own_call:
            return
        spent = Spent()
        try:
            spent = self.spent()
        except sqlite3.Error as error:
            self._trouble = str(error)
        refusal = self._refusal(spent)
        if refusal is not None:
            refusal.spent = spent
            raise refusal

    @hookimpl
    def call_finished(self, record: CallRecord) -> None:
        """Count what a call used."""
        if record.cached is None:
            try:
                self._ledger.add(self._period(record.ended_at), self._used(record))
            except sqlite3.Error as error:
                self._trouble = str(error)  # what is not counted must not go on

    def _period(self, at: float) -> str:
        return time.strftime("%Y-%m-%d", time.gmtime(at)) if self.daily else "all"

    def _used(self, record: CallRecord) -> Spent:
        # The record of a fallback has the attempts at other targets too, which have records of their own.
        own = [each for each in record.tried if (each.endpoint, each.model) == (record.endpoint, record.model)]
        lost = sum(each.maybe_billed for each in own) + record.is_abandoned
        usage = record.usage
        tokens = 0 if usage is None else (usage.input_tokens or 0) + (usage.output_tokens or 0)
        # Operations that use no tokens, such as a list of files, have no usage at all.
        is_answer = record.error is None and usage is not None and not record.is_abandoned
        names = {record.endpoint, f"{record.endpoint}/{record.model}", record.operation}
        return Spent(
            usd=record.cost or 0.0,
            tokens=tokens,
            unpriced=lost + (is_answer and record.cost is None) if names.isdisjoint(self.free) else 0,
            uncounted=lost + (is_answer and tokens == 0),
        )

    def _refusal(self, spent: Spent) -> BudgetExceededError | None:
        if self._trouble is not None:
            message = f"the budget cannot be kept, so nothing goes out: {self._trouble}"
            return BudgetExceededError(message, hint=f"look at the file {self.file}")
        when = " a day" if self.daily else ""
        usd = spent.usd + spent.unpriced * (self.unknown_usd or 0.0)
        tokens = spent.tokens + spent.uncounted * (self.unknown_tokens or 0)
        if self.usd is not None and usd >= self.usd:
            message = f"the budget of {self.usd:g} US dollars{when} is used up: {usd:.4g} were spent"
        elif self.tokens is not None and tokens >= self.tokens:
            message = f"the budget of {self.tokens} tokens{when} is used up: {tokens} were used"
        elif self.usd is not None and self.unknown_usd is None and spent.unpriced:
            return BudgetExceededError(
                f"the budget cannot tell what was spent: nobody knows what {spent.unpriced} of the calls cost",
                hint="set unknown_usd in [plugins.options.budget] to what such a call counts for, name what costs "
                "nothing in free, or name the model's prices in [endpoints.NAME.models]",
            )
        elif self.tokens is not None and self.unknown_tokens is None and spent.uncounted:
            return BudgetExceededError(
                f"the budget cannot tell what was used: nobody knows the tokens of {spent.uncounted} of the calls",
                hint="set unknown_tokens in [plugins.options.budget] to what such a call counts for",
            )
        else:
            return None
        more = "wait until 00:00 UTC, " if self.daily else ""
        return BudgetExceededError(
            message, hint=f"{more}raise the limit in [plugins.options.budget], or set IPFS_ACCEL_DISABLE_PLUGINS=budget"
        )
