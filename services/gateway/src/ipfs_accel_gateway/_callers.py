"""Who calls: keys of the gateway's own, what each may use, and how much of it.

A key is kept as its hash alone. It is long and random, so that a plain SHA-256 of it can be neither guessed nor
reversed, and is found by one look into a table.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from urllib.parse import parse_qsl

from ._errors import Refusal
from ._settings import KeySettings

__all__ = ["Caller", "Callers", "Ticket", "hash_of"]

_MINUTE = 60.0
_KEY_HEADERS = ("x-api-key", "x-goog-api-key", "api-key")
PREFIX = "sha256:"


def hash_of(key: str) -> str:
    """Return what is kept of a key."""
    return PREFIX + hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


class _Bucket:
    """So many a minute: full at the beginning, filled evenly, never more than full. What is taken may be owed."""

    __slots__ = ("_at", "_left", "_size", "per_minute")

    def __init__(self, per_minute: float) -> None:
        self.per_minute = per_minute
        self._size = self._left = float(per_minute)
        self._at = 0.0

    def wait(self, amount: float, now: float) -> float:
        """Return the seconds until so much is there; 0 if it is. More than it can hold has to wait until it is full."""
        if now > self._at:
            self._left = min(self._size, self._left + (now - self._at) * self._size / _MINUTE)
            self._at = now
        missing = min(amount, self._size) - self._left
        return missing * _MINUTE / self._size if missing > 0 else 0.0

    def share(self, amount: float) -> float:
        """Return what of an amount can be held ready: nobody owes more than it for what is only expected."""
        return min(amount, self._size)

    def level(self, now: float) -> tuple[float, float]:
        """Return how much it can hold, and how much it has; less than nothing is what is owed."""
        return self._size, min(self._size, self._left + (now - self._at) * self._size / _MINUTE)

    def take(self, amount: float) -> None:
        """Take it, or give back what was taken too much."""
        self._left = min(self._size, self._left - amount)


def _changed(bucket: _Bucket | None, per_minute: float | None) -> _Bucket | None:
    """Return what holds for a limit: what there is, if it stays the same."""
    if bucket is not None and bucket.per_minute == per_minute:
        return bucket
    return None if per_minute is None else _Bucket(per_minute)


class Ticket:
    """What one request has taken of its caller's limits; `settle` is to be called in any case."""

    __slots__ = ("_caller", "_is_settled", "_tokens")

    def __init__(self, caller: Caller, tokens: float) -> None:
        self._caller = caller
        self._tokens = tokens
        self._is_settled = False

    def settle(self, tokens: float | None) -> None:
        """Give the place back; `tokens` is what was used in truth, None where nobody knows: the estimate stands."""
        if not self._is_settled:
            self._is_settled = True
            self._caller.leave(0.0 if tokens is None else self._tokens - tokens)


class Caller:
    """The owner of a key, or everybody where no keys are wanted.

    Attributes:
        id: Name of the key in the settings; empty for everybody.
        active: How many of its requests are under way.
    """

    def __init__(self, name: str, settings: KeySettings, now: Callable[[], float]) -> None:
        self.id = name
        self.active = 0
        self._now = now
        self._requests: _Bucket | None = None
        self._tokens: _Bucket | None = None
        self.change(settings)

    def change(self, settings: KeySettings) -> None:
        """Let other settings hold from now on; what was taken of a limit that stays as it is remains taken."""
        self._models = settings.models
        self._most = settings.concurrency
        self._expires = settings.expires
        self._requests = _changed(self._requests, settings.requests_per_minute)
        self._tokens = _changed(self._tokens, settings.tokens_per_minute)

    def may_use(self, model: str) -> bool:
        """Whether a model, by the name under which it is served, is one of the key's."""
        return self._models is None or any(fnmatchcase(model, pattern) for pattern in self._models)

    @property
    def counts_tokens(self) -> bool:
        """Whether it matters how many tokens a request has used."""
        return self._tokens is not None

    @property
    def is_limited(self) -> bool:
        """Whether anything limits how much may be asked with it by the minute or at once."""
        return self._most is not None or self._requests is not None or self._tokens is not None

    @property
    def has_expired(self) -> bool:
        """Whether the key is no longer good."""
        return self._expires is not None and time.time() >= self._expires.timestamp()

    def levels(self) -> list[tuple[str, float, float]]:
        """Return its limits by the minute: name, amount, and what of it is there."""
        buckets = (("requests_per_minute", self._requests), ("tokens_per_minute", self._tokens))
        return [(name, *bucket.level(self._now())) for name, bucket in buckets if bucket is not None]

    def enter(self, tokens: Callable[[], float]) -> Ticket:
        """Let a request in; `tokens` tells how many it may need, and is asked only if that is limited.

        Raises:
            Refusal: One of the limits is reached.
        """
        if self._most is not None and self.active >= self._most:
            raise Refusal(429, "rate_limit", f"{self._most} requests with this key are under way", retry_after=1.0)
        now, needed = self._now(), 0.0
        if self._requests is not None and (seconds := self._requests.wait(1.0, now)):
            raise _limit("requests", seconds)
        if self._tokens is not None:
            needed = self._tokens.share(tokens())
            if seconds := self._tokens.wait(needed, now):
                raise _limit("tokens", seconds)
            self._tokens.take(needed)
        if self._requests is not None:
            self._requests.take(1.0)
        self.active += 1
        return Ticket(self, needed)

    def leave(self, unused: float) -> None:
        """Note that a request is over, and what of its tokens was not used; a negative number is what came on top."""
        self.active -= 1
        if self._tokens is not None and unused:
            self._tokens.take(-unused)


def _limit(what: str, seconds: float) -> Refusal:
    message = f"the limit of {what} a minute of this key is reached"
    return Refusal(429, "rate_limit", message, code="rate_limit_exceeded", retry_after=seconds)


class Callers:
    """All keys. A table without any lets everybody in, which only a server that listens to its own machine may do.

    Args:
        keys: Name to key.
        now: Seconds by some clock.
        before: Who called until now: they go on with what they have taken of their limits.
        wants_keys: Whether nobody is let in without a key, though there is none.
    """

    def __init__(
        self,
        keys: Mapping[str, KeySettings],
        now: Callable[[], float] = time.monotonic,
        *,
        before: Mapping[str, Caller] | None = None,
        wants_keys: bool = False,
    ) -> None:
        self._by_hash: dict[str, Caller] = {}
        self._by_name: dict[str, Caller] = {}
        self._everybody = None if keys or wants_keys else Caller("", KeySettings(), now)
        known = before or {}
        for name, settings in keys.items():
            caller = known.get(name) or Caller(name, settings, now)
            caller.change(settings)
            self._by_hash[settings.hash] = self._by_name[name] = caller

    def by_name(self) -> Mapping[str, Caller]:
        """Return the owners of keys by the names of these."""
        return self._by_name

    @property
    def wants_keys(self) -> bool:
        """Whether a request needs a key."""
        return self._everybody is None

    def active(self) -> dict[str, int]:
        """Return how many requests of each key are under way."""
        everybody = () if self._everybody is None else (self._everybody,)
        return {each.id: each.active for each in (*everybody, *self._by_hash.values())}

    def who(self, headers: Mapping[str, str], query: str = "") -> Caller:
        """Return whose request it is.

        Raises:
            Refusal: It has no key that is good here.
        """
        if self._everybody is not None:
            return self._everybody
        has_key = False
        for key in _keys_in(headers, query):
            caller = self._by_hash.get(hash_of(key))
            if caller is not None and not caller.has_expired:
                return caller
            has_key = True
        if has_key:
            raise Refusal(401, "authentication", "this key is not known to the gateway, or no longer good")
        raise Refusal(401, "authentication", "a key of this gateway is missing: send it as `Authorization: Bearer …`")


def _keys_in(headers: Mapping[str, str], query: str) -> Iterator[str]:
    """Return what may be the key of a request; clients may send two, such as a token of the provider's beside."""
    bearer = headers.get("authorization", "")
    if bearer[:7].lower() == "bearer " and (token := bearer[7:].strip()):
        yield token
    for name in _KEY_HEADERS:
        if key := headers.get(name):
            yield key
    if query:
        yield from _keys_after(query)


def _keys_after(query: str) -> list[str]:
    """Return the key that Google's clients may send as `?key=`; a query goes into no log, error or record."""
    return [value for name, value in parse_qsl(query) if name == "key"][:1]
