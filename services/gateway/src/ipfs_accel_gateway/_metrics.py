"""What is counted of requests, for Prometheus.

Plain numbers, as one thread alone adds to them: a request costs a look into a table and a dozen additions, where the
usual library, which takes a lock for each, takes ten times as long. What can be put together out of other numbers is,
when somebody asks.

Labels come from the configuration alone. What callers may write, such as the name of a model, is looked up there, and
is `other` if it is not found; and however many keys and models are configured, the number of series has an end.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from itertools import accumulate
from typing import TYPE_CHECKING

from ._exposition import Family, Sample, labels, number

if TYPE_CHECKING:
    from ipfs_accel import Config

    from ._records import Record

__all__ = ["OTHER", "PREFIX", "Metrics", "Names"]

PREFIX = "ipfs_accel_gateway_"
OTHER = "other"
_MOST = 5000
"""Sets of labels that have a series of their own; all further requests are counted together."""
_MOST_TIMED = 500
"""Likewise of those that have histograms."""
_UNPRICED = frozenset({"count_tokens"})
"""Operations that nobody pays for."""

_LONG = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 600.0)
_PER_TOKEN = (0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0)
_WAITED = (0.001, 0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_OWN = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_FIRST_ERROR = 400


class Names:
    """What the configuration calls models.

    Args:
        config: Whose aliases, routes and targets count.
        patterns: Of the gateway's setting `models`; None means that all is served.
        further: Names under which something else is served.
    """

    def __init__(self, config: Config, patterns: Iterable[str] | None, further: Iterable[str] = ()) -> None:
        targets = [each for route in config.routes.values() for each in route.targets]
        known = {*further, *config.aliases, *config.routes, *config.aliases.values(), *targets}
        if patterns is not None:
            patterns = tuple(patterns)
            known |= {each for each in patterns if "*" not in each}
            known = {each for each in known if any(fnmatchcase(each, pattern) for pattern in patterns)}
        self.endpoints = frozenset(config.endpoints)
        self._labels = {each: each for each in known | {""}}  # nothing where a request is refused before it says
        self._labels |= {f"{each}/*": f"{each}/*" for each in self.endpoints}

    def label(self, model: str) -> str:
        """Return how a model, as a caller named it, is called in labels."""
        found = self._labels.get(model)
        if found is not None:
            return found
        endpoint, slash, _ = model.partition("/")
        return f"{endpoint}/*" if slash and endpoint in self.endpoints else OTHER


class _Histogram:
    """Counts numbers by size."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def samples(self, said: str) -> list[Sample]:
        sums = list(accumulate(self.counts))
        found = [
            ("_bucket", f'{said[:-1]},le="{number(bound)}"}}', str(count))
            for bound, count in zip((*self.bounds, float("inf")), sums, strict=True)
        ]
        return [*found, ("_sum", said, number(self.total)), ("_count", said, str(sums[-1]))]


class _Times:
    """Histograms of one model at one endpoint."""

    __slots__ = ("duration", "first", "own", "per_token", "queue", "upstream")

    def __init__(self) -> None:
        self.duration = _Histogram(_LONG)
        self.first = _Histogram(_LONG)
        self.per_token = _Histogram(_PER_TOKEN)
        self.queue = _Histogram(_WAITED)
        self.upstream = _Histogram(_LONG)
        self.own = _Histogram(_OWN)


class _Series:
    """Counters of requests that have all labels in common."""

    __slots__ = ("cached", "cost", "input", "output", "requests", "times", "unpriced")

    def __init__(self, times: _Times) -> None:
        self.requests = self.input = self.cached = self.output = self.unpriced = 0
        self.cost = 0.0
        self.times = times


class Metrics:
    """Counts requests; what listens to records.

    Attributes:
        names: What models are called in labels; may be exchanged.
    """

    def __init__(self, names: Names) -> None:
        self.names = names
        self._series: dict[tuple[str, ...], _Series] = {}
        self._times: dict[tuple[str, str], _Times] = {}
        self._folded = 0

    def add(self, record: Record) -> None:
        """Count a request that is over."""
        endpoint = record.endpoint or record.fault
        key = (record.caller, record.dialect, self.names.label(record.model), endpoint, record.lane, _state(record))
        series = self._series.get(key) or self._begun(key)
        series.requests += 1
        usage = record.usage
        if usage is not None:
            series.input += usage.input_tokens or 0
            series.cached += usage.cached_input_tokens or 0
            series.output += usage.output_tokens or 0
        if record.cost is not None:
            series.cost += record.cost
        elif record.lane and record.operation not in _UNPRICED:
            series.unpriced += 1
        if endpoint and record.asked is not None:
            _time(series.times, record, record.asked)

    def families(self) -> Iterator[Family]:
        """Return all that was counted."""
        full = ("key", "dialect", "model", "endpoint", "lane", "status")
        yield Family(
            f"{PREFIX}requests",
            "counter",
            "Requests for models; status is 2xx, 4xx, 5xx, left (whoever asked hung up) or broken (off in its middle).",
            [
                ("_total", labels(dict(zip(full, key, strict=True))), str(each.requests))
                for key, each in self._series.items()
            ],
        )
        for name, said, count in _COUNTERS:
            yield Family(f"{PREFIX}{name}", "counter", said, self._summed(count))
        for name, said, times in _HISTOGRAMS:
            yield Family(f"{PREFIX}{name}", "histogram", said, self._timed(times))
        yield Family(
            f"{PREFIX}folded_requests",
            "counter",
            "Requests that are counted as `other`, as there are too many series.",
            [("_total", "", str(self._folded))],
        )

    def counted(self) -> Iterator[tuple[tuple[str, ...], _Series]]:
        """Return the counters, each with its key, dialect, model, endpoint, lane and status."""
        yield from self._series.items()

    def timed(self) -> Iterator[tuple[tuple[str, str], _Times]]:
        """Return the histograms, each with its model and endpoint."""
        yield from self._times.items()

    def _begun(self, key: tuple[str, ...]) -> _Series:
        _, dialect, model, endpoint, lane, state = key
        if len(self._series) >= _MOST:
            self._folded += 1
            key = (OTHER, dialect, OTHER, OTHER, lane, state)
            if key in self._series:
                return self._series[key]
            model = endpoint = OTHER
        found = self._series[key] = _Series(self._timed_at(model, endpoint))
        return found

    def _timed_at(self, model: str, endpoint: str) -> _Times:
        if len(self._times) >= _MOST_TIMED and (model, endpoint) not in self._times:
            model = endpoint = OTHER
        return self._times.setdefault((model, endpoint), _Times())

    def _summed(self, count: Callable[[_Series], float]) -> Iterator[Sample]:
        sums: dict[tuple[str, str, str], float] = {}
        for (caller, _, model, endpoint, lane, _), each in self._series.items():
            if lane:
                key = (caller, model, endpoint)
                sums[key] = sums.get(key, 0) + count(each)
        for (caller, model, endpoint), value in sums.items():
            yield "_total", labels({"key": caller, "model": model, "endpoint": endpoint}), number(value)

    def _timed(self, times: Callable[[_Times], _Histogram]) -> Iterator[Sample]:
        for (model, endpoint), each in list(self._times.items()):
            found = times(each)
            if any(found.counts):
                yield from found.samples(labels({"model": model, "endpoint": endpoint}))


def _time(times: _Times, record: Record, asked: float) -> None:
    """Note where the time of a request went that was asked of somebody."""
    seconds = time.monotonic() - record.started
    times.duration.add(seconds)
    times.queue.add(record.queued)
    times.upstream.add(asked - record.queued)
    first = record.first
    times.own.add((seconds if first is None else first) - asked)
    if first is None or not record.is_stream:
        return
    times.first.add(first)
    usage = record.usage
    if usage is not None and usage.output_tokens is not None and usage.output_tokens > 1:
        times.per_token.add((seconds - first) / (usage.output_tokens - 1))


def _state(record: Record) -> str:
    """Return how a request ended, as one of a few words."""
    if record.error == "left":
        return "left"
    status = record.status or 0
    return "broken" if record.error is not None and status < _FIRST_ERROR else f"{status // 100}xx"


_COUNTERS: tuple[tuple[str, str, Callable[[_Series], float]], ...] = (
    ("input_tokens", "Tokens of requests, as servers count them; those from caches too.", lambda each: each.input),
    ("cached_input_tokens", "Tokens of requests that servers had in their caches.", lambda each: each.cached),
    ("output_tokens", "Tokens of answers, as servers count them; those of reasoning too.", lambda each: each.output),
    ("cost_dollars", "What answers cost, where that is known.", lambda each: each.cost),
    ("unpriced_requests", "Answers of which nobody knows what they cost.", lambda each: each.unpriced),
)
_HISTOGRAMS: tuple[tuple[str, str, Callable[[_Times], _Histogram]], ...] = (
    (
        "request_duration_seconds",
        "From the last byte of a request to the last of its answer, where a model was asked.",
        lambda each: each.duration,
    ),
    (
        "time_to_first_token_seconds",
        "From a request to the first bytes of its stream.",
        lambda each: each.first,
    ),
    (
        "time_per_output_token_seconds",
        "From the first bytes of a stream to its end, by the tokens after the first, where a server counts them.",
        lambda each: each.per_token,
    ),
    (
        "queue_duration_seconds",
        "Waited for the limits of endpoints.",
        lambda each: each.queue,
    ),
    (
        "upstream_duration_seconds",
        "Waited for servers, retries included: for a whole answer, or the first event of a stream.",
        lambda each: each.upstream,
    ),
    (
        "own_duration_seconds",
        "What the gateway took of the time to the first bytes of an answer.",
        lambda each: each.own,
    ),
)
