"""Which row is asked for next, and what comes of it. Waits for nothing but files, and knows neither world."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from ipfs_accel._values import frozen
from ipfs_accel.errors import AccelError, InvalidRequestError, InvalidResponseError
from ipfs_accel.types import Answer, BatchReport, BatchResult

from .disk import Disk
from .folder import Folder
from .journal import Journal
from .judging import Pace, verdict
from .lines import error_line, line_of
from .plan import Plan, Shard, read_shard
from .report import report_of
from .requests import asker
from .row import Row
from .settings import Settings
from .tail import Tail
from .totals import Outcome, Totals

__all__ = ["LIMITS", "Engine", "Limits"]


@frozen(kw_only=True)
class Limits:
    """How a process works on a run.

    Attributes:
        concurrency: Rows under way at once.
        rounds: How often a row is asked for that fails where the next try may fare better; the client's own attempts
            are within each.
        max_cost: US dollars after which no further row is asked for.
        max_failures: Failed rows after which no further one is asked for.
        patience: Seconds for which a server that has no time, or cannot be reached, is asked again.
    """

    concurrency: int = 32
    rounds: int = 3
    max_cost: float | None = None
    max_failures: int | None = None
    patience: float = 600.0


_SET_ASIDE = 16
LIMITS = tuple(Limits.__annotations__)


class Engine:
    """A run at work in this process.

    Args:
        folder: Its files, held by this process.
        plan: What there is to do.
        settings: What is asked.
        limits: How.
        now: A clock that only goes forward.
        retry_failed: Whether rows that failed are asked for again.

    Attributes:
        ask: Makes calls of rows.
        fault: What ended the run before its time.
        trouble: Why all rows wait; None once one is answered.
    """

    def __init__(
        self,
        folder: Folder,
        plan: Plan,
        settings: Settings,
        limits: Limits,
        now: Callable[[], float],
        *,
        retry_failed: bool = False,
    ) -> None:
        self.ask = asker(settings)
        self.fault: Exception | None = None
        self.trouble: AccelError | None = None
        self.limits = limits
        self.operation = settings.operation
        self._folder = folder
        self._plan = plan
        self._now = now
        self._retry_failed = retry_failed
        self._lock = threading.Lock()
        self._pace = Pace(now(), limits.patience)
        self._ended: str | None = None
        self._totals = Totals()
        self._journals: dict[Shard, Journal] = {}
        # Those of which no row is left, though the disk may not know it yet.
        self._settled: set[Shard] = set()
        self._again: deque[Row] = deque()
        self._under_way = self._kept = self._lost = 0
        # How often rows were asked for, and the last such time that brought an answer.
        self._asked = self._latest = 0
        self._fresh: Iterator[Row] = iter(())
        self._is_read = False
        self._tail: Tail | None = None
        self._disk: Disk | None = None
        self._began = now()

    def begin(self) -> None:
        """Read what is done already, and take note that this process works on the rest."""
        folder, plan = self._folder, self._plan
        if self._retry_failed:
            folder.reopen(plan)
        elif folder.is_complete:
            folder.clean(plan)
        for done in folder.finished.values():
            self._totals.merge(done.totals)
        for carried in folder.carried.values():
            self._totals.merge(carried)
        self._settled.update([shard for shard in plan.shards if shard.number in folder.finished])
        for shard in folder.open_shards(plan):
            self._open(shard)
        if plan.settings["order"] == "done" and not folder.is_complete:
            self._tail = Tail(folder, self._journals)
        missing = plan.rows - self._totals.rows
        self._lost = folder.lost + min(folder.under_way or 0, missing)
        folder.note("began", lost=self._lost, concurrency=self.limits.concurrency)
        self._disk = Disk()
        for shard, journal in list(self._journals.items()):
            if not journal.waiting:
                self._finish(shard, journal)
        self._fresh = self._rows()

    def _open(self, shard: Shard) -> Journal:
        journal = self._folder.journal(shard, retry_failed=self._retry_failed)
        self._journals[shard] = journal
        self._totals.merge(journal.totals)
        return journal

    def _rows(self) -> Iterator[Row]:
        """Yield the rows that have no end, in the order of the input."""
        for shard in self._plan.shards:
            if shard in self._settled:
                continue
            journal = self._journals.get(shard)
            records = read_shard(self._plan, shard, self._plan.source)
            if journal is None:
                journal = self._open(shard)
            for place, record in enumerate(records):
                if not journal.has(place):
                    yield Row(shard, journal, place, record, self._plan)

    # what is next

    def take(self) -> Row | float | None:
        """Return the row to ask for now, the seconds to wait before there may be one, or None if there is none."""
        with self._lock:
            if self._disk is not None and self._disk.error is not None:
                self._end("failed", self._disk.error)
            if self._ended is not None:
                return None
            pause = self._pace.pause(self._now())
            if pause:
                return pause
            if self._is_spent():
                self._end("max_cost")
                return None
            row = self._next()
            if row is not None:
                self._under_way += 1
                row.rounds += 1
                self._asked += 1
                row.seen = self._asked
                if row.rounds == 1:
                    row.since = row.seen
            return row

    def _next(self) -> Row | None:
        again = self._again
        # One that failed waits until another has fared better, but only few wait.
        if again and (again[0].seen < self._latest or len(again) >= max(_SET_ASIDE, self.limits.concurrency)):
            return again.popleft()
        try:
            row = next(self._fresh, None)
        except (OSError, AccelError) as error:
            self._end("failed", error)
            return None
        if row is not None:
            return row
        self._is_read = True
        return again.popleft() if again else None

    def _is_spent(self) -> bool:
        """Whether the rows under way, as dear as those before, leave no money for another."""
        most, totals = self.limits.max_cost, self._totals
        if most is None:
            return False
        priced = totals.rows - totals.unpriced
        each = totals.cost / priced if priced > 0 else 0.0
        return totals.cost + each * (self._under_way + 1) > most

    # what came of it

    def answered(self, row: Row, answer: Answer) -> BatchResult | None:
        """Keep an answer; return what became of the row, or None if it could not be kept."""
        try:
            line = line_of(self.operation, row, answer)
        except ValueError as error:
            found = InvalidResponseError(f"the answer has no form in JSON: {error}")
            return self._settle(row, found, Outcome.of_error(found, row.rounds), error_line(row, found))
        outcome = Outcome.of(answer, row.rounds)
        if outcome.cost is None and self.limits.max_cost is not None:
            why = "max_cost: what the model costs is not known, so that nothing can be held to it"
            self._end("failed", InvalidRequestError(why, hint="leave it out, or give the model a price"))
        return self._settle(row, answer, outcome, line)

    def failed(self, row: Row, error: AccelError) -> BatchResult | None:
        """Keep a failure, or have the row asked for again, or end the run: as the error says."""
        with self._lock:
            if not self._is_final(row, error):
                self._under_way -= 1
                return None
        line = error_line(row, error)
        return self._settle(row, error, Outcome.of_error(error, row.rounds), line)

    def dropped(self, error: Exception | None = None) -> None:
        """Take note that a row was given up: nobody waits for it any more, or what asked for it is broken."""
        with self._lock:
            self._under_way -= 1
            self._lost += 1
            if error is not None:
                self._end("failed", error)

    def _is_final(self, row: Row, error: AccelError) -> bool:
        """Whether a failure is what became of the row."""
        found = verdict(error)
        if found == "unclear" and (row.rounds > 1 or self._latest > row.since):
            # Where others are answered, it is the row; so it is where others were, and only such rows are left.
            if self._latest > row.since or (self._is_read and self._totals.rows > self._totals.failed):
                return True
            found = "end"
        if found in {"busy", "broken"}:
            self.trouble = error
            if not self._pace.failed(self._now(), getattr(error, "retry_after", None), is_met=found == "busy"):
                found = "end"
        if found == "end":
            self._end("failed", error)
            return False
        row.tries += found == "again" or (found == "broken" and self._latest > row.seen)
        if found == "own" or row.tries >= self.limits.rounds:
            return True
        self._again.append(row)
        return False

    def _settle(self, row: Row, value: Any, outcome: Outcome, line: bytes) -> BatchResult | None:
        is_answer = isinstance(value, Answer)
        with self._lock:
            self._under_way -= 1
            if is_answer:
                self._latest = max(self._latest, row.seen)
                self.trouble = None
                self._pace.answered(self._now())
            if not self._keep(row, outcome, line):
                return None
            most = self.limits.max_failures
            if most is not None and self._totals.failed > most:
                self._end("max_failures")
        return BatchResult(id=row.id, response=value if is_answer else None, error=None if is_answer else value)

    def _keep(self, row: Row, outcome: Outcome, line: bytes) -> bool:
        journal = row.journal
        try:
            journal.add(row.place, outcome, line)
        except OSError as error:
            self._end("failed", error)
            self._lost += 1
            return False
        self._totals.add(outcome)
        self._kept += 1
        if self._tail is not None:
            try:
                self._tail.add(journal, line + b"\n")
            except OSError as error:  # the journal has it, so that the next process writes it
                self._end("failed", error)
                return True
        if self._disk is not None:
            self._disk.noted(journal)
        if not journal.waiting:
            self._finish(row.shard, journal)
        return True

    def _finish(self, shard: Shard, journal: Journal) -> None:
        disk, tail = self._disk, self._tail
        if disk is None:
            raise RuntimeError("the run has not begun")
        del self._journals[shard]
        self._settled.add(shard)
        if tail is None:
            disk.submit(lambda: self._folder.finish(shard, journal))
            return
        end, emitted = tail.mark(), {each.number: it.emitted for each, it in self._journals.items()}

        def finish() -> None:
            disk.sync()
            tail.sync()
            self._folder.finish_emitted(shard, journal, end, emitted)

        disk.submit(finish)

    # the end

    def _end(self, why: str, fault: Exception | None = None) -> None:
        if self._ended is None:
            self._ended, self.fault = why, fault

    def stop(self) -> None:
        """Ask for no further row; those under way come to their end."""
        with self._lock:
            self._end("stopped")

    def finish(self) -> None:
        """Have all on the disk, and the output if every row has its end."""
        folder, disk = self._folder, self._disk
        if disk is not None:
            disk.close()
            if disk.error is not None:
                self._ended, self.fault = "failed", self.fault or disk.error
        with self._lock:
            self._end("stopped")
        try:
            if self.fault is None and len(folder.finished) == len(self._plan.shards):
                if not folder.is_complete:
                    self._complete()
                self._ended = "complete"
            if disk is not None:
                folder.note("ended", lost=self._lost)
        except (OSError, AccelError) as error:
            self._ended, self.fault = "failed", self.fault or error
        finally:
            for journal in self._journals.values():
                journal.close()
            if self._tail is not None:
                self._tail.close()
            folder.close()

    def _complete(self) -> None:
        if self._tail is None:
            self._folder.assemble(self._plan)
        else:
            self._folder.note("complete")

    @property
    def is_complete(self) -> bool:
        """Whether the output is there."""
        return self._folder.is_complete

    def report(self) -> BatchReport:
        """Return how far it is."""
        with self._lock:
            return report_of(
                self._folder,
                self._plan,
                self._totals,
                lost=self._lost,
                answered=self._kept,
                under_way=self._under_way,
                seconds=self._now() - self._began,
                ended=self._ended,
            )
