"""Several keys for one endpoint: which one is used next, and which are out for how long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Literal, Protocol, TypeAlias

import attrs

from ipfs_accel._secret import KeySource
from ipfs_accel._values import define, frozen
from ipfs_accel.errors import (
    AccelError,
    APIError,
    AuthenticationError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
)

__all__ = ["KeyPolicy", "KeyPool", "KeyState", "PooledKey", "is_keys_fault"]

KeyPolicy: TypeAlias = Literal["round_robin", "least_loaded"]

COOLDOWN = 5.0
"""Seconds that a key is out after a rate limit that does not say how long."""


@frozen(kw_only=True)
class KeyState:
    """What became of a key.

    Attributes:
        id: `key-` and its number in the configuration.
        state: ready, cooling (after a rate limit) or out (refused, or its money is used up; until `reload`).
        ready_in: Seconds until it is ready, for one that cools.
        active: Calls under way with it.
        uses: Calls so far.
        failures: Those of them after which it was taken out.
        input_tokens: Tokens that it paid for, as far as they are known.
        output_tokens: Likewise.
    """

    id: str
    state: Literal["ready", "cooling", "out"]
    ready_in: float | None
    active: int
    uses: int
    failures: int
    input_tokens: int
    output_tokens: int


@define(eq=False)
class PooledKey:
    """One key of a pool; `users` are the ids of the holds that have it, and a hold leaves them before it ends."""

    source: KeySource = attrs.field(repr=False)
    id: str = ""
    ready_at: float = 0.0
    is_out: bool = False
    why: AccelError | None = None
    users: set[int] = attrs.field(factory=set, repr=False)
    uses: int = 0
    failures: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def is_ready(self, now: float) -> bool:
        """Whether it may be used."""
        return not self.is_out and self.ready_at <= now


class Holder(Protocol):
    """Who has a key for a while."""

    key: PooledKey | None


class KeyPool:
    """The keys of one endpoint; may be shared by threads."""

    def __init__(self, keys: Sequence[KeySource], policy: KeyPolicy, now: Callable[[], float]) -> None:
        self._keys = [PooledKey(key, f"key-{number}") for number, key in enumerate(keys, 1)]
        self._policy = policy
        self._now = now
        self._next = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._keys)

    def take(self, holder: Holder, wait_of: Callable[[PooledKey], float] | None = None) -> None:
        """Give a holder the key for its attempt; to be given back with `give_back`.

        Args:
            holder: Whose `key` it becomes.
            wait_of: Tells the seconds that a call would have to wait with a key; those with the least come first.

        Raises:
            APIError: All keys are out: a `RateLimitError` with the seconds to wait if some of them come back.
        """
        with self._lock:
            now = self._now()
            ready = [key for key in self._keys if key.is_ready(now)]
            if not ready:
                raise self._exhausted(now)
            if wait_of is not None:
                waits = [wait_of(key) for key in ready]
                ready = [key for key, wait in zip(ready, waits, strict=True) if wait == min(waits)]
            if self._policy == "least_loaded":
                key = min(ready, key=lambda key: (len(key.users), key.uses))
            else:
                key = self._following(ready)
            key.uses += 1
            holder.key = key
            key.users.add(id(holder))

    def has_ready(self) -> bool:
        """Whether a key could be taken now."""
        now = self._now()
        return any(key.is_ready(now) for key in self._keys)

    def is_ready(self, key: PooledKey) -> bool:
        """Whether a key may be used now."""
        return key.is_ready(self._now())

    def give_back(
        self, key: PooledKey, holder: Holder, error: BaseException | None = None, usage: object = None
    ) -> None:
        """Note how an attempt went, and take the key out if it was the key's fault."""
        with self._lock:
            key.users.discard(id(holder))
            key.input_tokens += getattr(usage, "input_tokens", None) or 0
            key.output_tokens += getattr(usage, "output_tokens", None) or 0
            if not is_keys_fault(error):
                return
            key.failures += 1
            if isinstance(error, RateLimitError) and not isinstance(error, QuotaExceededError):
                key.ready_at = max(key.ready_at, self._now() + (error.retry_after or COOLDOWN))
            else:
                key.is_out = True
                key.why = error  # type: ignore[assignment]

    def abandon(self, key: PooledKey, holder: Holder) -> None:
        """Take a key back from whoever used it and is gone; for finalizers, which must not take a lock."""
        key.users.discard(id(holder))

    def reload(self) -> None:
        """Take every key in again."""
        with self._lock:
            for key in self._keys:
                key.is_out, key.ready_at, key.why = False, 0.0, None

    def states(self) -> tuple[KeyState, ...]:
        """Return what became of each key."""
        with self._lock:
            now = self._now()
            return tuple([_state(key, now) for key in self._keys])

    def _following(self, ready: list[PooledKey]) -> PooledKey:
        while True:
            key = self._keys[self._next % len(self._keys)]
            self._next += 1
            if key in ready:
                return key

    def _exhausted(self, now: float) -> APIError:
        cooling = [key.ready_at - now for key in self._keys if not key.is_out]
        if cooling:
            return RateLimitError(
                f"all {len(self._keys)} keys of this endpoint are at their rate limit or refused",
                retry_after=min(cooling),
            )
        refused = next((key.why for key in self._keys if key.why is not None), None)
        kind = type(refused) if isinstance(refused, APIError) else AuthenticationError
        return kind(
            f"all {len(self._keys)} keys of this endpoint were refused or have no money left",
            status=getattr(refused, "status", None),
            hint="set keys that work; `reload_keys` takes the present ones in again",
        )


def is_keys_fault(error: BaseException | None) -> bool:
    """Whether another key may do better."""
    return isinstance(error, AuthenticationError | PermissionDeniedError | RateLimitError)


def _state(key: PooledKey, now: float) -> KeyState:
    cooling = key.ready_at - now
    return KeyState(
        id=key.id,
        state="out" if key.is_out else "cooling" if cooling > 0 else "ready",
        ready_in=cooling if cooling > 0 and not key.is_out else None,
        active=len(key.users),
        uses=key.uses,
        failures=key.failures,
        input_tokens=key.input_tokens,
        output_tokens=key.output_tokens,
    )
