"""The attempts of a request: what each takes beforehand and gives back, and whether a failure is tried again.

The only place where anything is repeated. Whether and when is decided in `_resilience`; a failure that is not worth
another attempt goes on as it came.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from ipfs_accel._resilience.guard import Hold
from ipfs_accel._telemetry import log
from ipfs_accel._worlds.effects import Pause, Steps, Wait
from ipfs_accel.errors import (
    AccelError,
    APIConnectionError,
    APIError,
    AuthenticationError,
    CircuitOpenError,
    DeadlineExceededError,
)
from ipfs_accel.hookspecs import RAW_OPERATIONS

from . import keys
from .call import Call

if TYPE_CHECKING:
    from ipfs_accel._resilience.gate import Gate, Ticket
    from ipfs_accel._resilience.retry import Retries
    from ipfs_accel._resilience.told import Whose

__all__ = ["ALONE", "attempted", "may_repeat"]

T = TypeVar("T")

LOOK_AGAIN = 1.0

_WITHOUT_LASTING_EFFECT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_READING = frozenset({"GET", "HEAD"})
_LASTING = frozenset({"upload_file", "create_batch"})
"""Operations that leave something behind, which may then be there twice."""
ALONE = _LASTING.union(RAW_OPERATIONS)
"""Operations that are performed at one endpoint, and at no other in its stead."""


def may_repeat(call: Call, method: str, *, has_idempotency_key: bool) -> bool:
    """Whether a request may be sent again although the server may have acted on it, unseen.

    Asking a model twice costs tokens at most; what else a POST does may then be there twice. What a request does that
    the caller has written, the caller says.
    """
    if has_idempotency_key:
        return True
    if call.operation in RAW_OPERATIONS:
        return method in _READING or call.request.idempotent
    return method in _WITHOUT_LASTING_EFFECT or (call.request is not None and call.operation not in _LASTING)


def _may_be_at_work(call: Call) -> bool:
    """Whether a silent server reads a prompt, as far as is known: on a machine of one's own that takes minutes."""
    return call.target.is_own and call.request is not None and call.operation not in RAW_OPERATIONS


def attempted(
    call: Call,
    once: Callable[[], Steps[T]],
    *,
    repeatable: bool = True,
    instead: Callable[[AccelError], bool] | None = None,
) -> Steps[T]:
    """Perform one request, and again where that helps and may be.

    Args:
        call: What it belongs to; `call.hold` is the last attempt's, still to be settled if that one succeeded.
        once: One attempt.
        repeatable: Whether it may be sent again although the server may have acted on it.
        instead: Whether, after a failure, the next attempt is to be of something else, for which nothing is waited.
    """
    again = _Again(call, repeatable=repeatable, instead=instead)
    guard = call.target.guard
    while True:
        place, call.journey.place = call.journey.place, None
        hold = Hold(guard, None if call.is_check else guard.breaker(call.model), place)
        hold.spent = again.spent
        call.begin(hold)
        try:
            if guard.gate is not None and not call.is_check:
                yield from _queued(call, hold, guard.gate)
            if not call.is_check:
                _pass_breaker(call, hold)
            return (yield from once())
        except AccelError as error:
            hold.settle(error)
            call.conceal(error)
            seconds = yield from again.wait_after(error)
        except GeneratorExit:
            raise  # perhaps by the garbage collector, where no lock may be taken: the hold gives back when dropped
        except BaseException as error:
            hold.settle(error)
            raise
        if seconds:
            yield from again.pause(seconds)


def _queued(call: Call, hold: Hold, gate: Gate) -> Steps[None]:
    """Wait until the endpoint's limits let the call through."""
    tokens = 0.0
    if gate.counts_tokens:
        from ipfs_accel._resilience.estimate import tokens_of  # noqa: PLC0415 - few endpoints have limits

        tokens = tokens_of(call.request)
    started = call.now()
    while True:
        whose = _whose(call, hold, gate, tokens) if gate.reads_headers else None
        ticket = hold.ticket = gate.ticket(tokens, call.priority, whose, started)
        gate.enter(ticket)
        while not ticket.admitted:
            yield from _wait(call, gate, ticket, started)
        pool = call.target.guard.pool
        if hold.key is None or pool is None or pool.is_ready(hold.key):
            break
        # The key was found at its limit while the call waited with it.
        gate.cancel(ticket)
        pool.give_back(hold.key, hold)
        hold.key = None
    waited = call.now() - started
    call.journey.queued += waited
    hold.started += waited


def _whose(call: Call, hold: Hold, gate: Gate, tokens: float) -> Whose | None:
    """Return whose limit the server will count an attempt against, for which one of several keys is taken now.

    None for a key that is known only when a function is asked for it.
    """
    pool, model = call.target.guard.pool, call.model
    if call.key is not None:
        return None if callable(call.key) else (hash(call.key), model)
    if pool is None:
        return "key-1", model
    pool.take(hold, lambda key: gate.wait_of((key.id, model), tokens))
    return None if hold.key is None else (hold.key.id, model)


def _wait(call: Call, gate: Gate, ticket: Ticket, started: float) -> Steps[None]:
    def seconds() -> float | None:
        delay = gate.delay(ticket)
        if ticket.admitted:
            return 0.0
        # Looks again now and then: the garbage collector gives tickets back without waking anybody.
        return min([LOOK_AGAIN, *[each for each in (delay, call.remaining()) if each is not None]])

    if call.remaining() == 0:
        raise DeadlineExceededError(
            f"the limits of this endpoint let the call wait until its time was over ({call.now() - started:.1f} s)",
            phase="queue",
            sent=False,
        )
    yield Wait(ticket, seconds)


def _pass_breaker(call: Call, hold: Hold) -> None:
    """Refuse a target that counts as down, unless it is the only one left; one call at a time may probe it."""
    guard, breaker = call.target.guard, hold.breaker
    if guard.is_isolated:
        raise _isolated("the endpoint")
    if breaker is None or breaker.is_closed:
        return
    now = call.now()
    if breaker.enter(now, id(hold)) is not False:
        return
    if breaker.state(now) == "isolated":
        raise _isolated("the model")
    if call.has_way_out or guard.guards_last:
        raise CircuitOpenError(
            "the model counts as down: too many of its last calls failed or were slow",
            retry_after=breaker.retry_after(now),
            hint="client.states() tells the rates; client.restore() lets calls through again",
        )


def _isolated(what: str) -> CircuitOpenError:
    return CircuitOpenError(f"{what} was isolated by hand", hint="client.restore() lets calls through again")


class _Again:
    """Decides after each failure of a request."""

    def __init__(self, call: Call, *, repeatable: bool, instead: Callable[[AccelError], bool] | None) -> None:
        self._call = call
        self._repeatable = repeatable
        self._instead = instead
        self._retries: Retries | None = None
        self._rotations = 0
        self._has_refreshed = False

    def wait_after(self, error: AccelError) -> Steps[float]:
        """Return how many seconds to wait before the next attempt.

        Raises:
            AccelError: The same error: there is to be none.
        """
        call = self._call
        if call.is_check or not isinstance(error, APIError):
            raise error
        if (yield from self._has_other_key(error)) or (self._instead is not None and self._instead(error)):
            seconds = 0.0
        else:
            seconds = self._wait(error)
        tried = call.attempt(error, seconds)
        call.journey.tried.append(tried)
        call.journey.waited += seconds
        log.retrying(call.operation, tried)
        return seconds

    def _wait(self, error: APIError) -> float:
        call, guard = self._call, self._call.target.guard
        if not error.retryable or guard.retry.attempts == 1:
            raise error
        if call.journey.may_leave and isinstance(error, APIConnectionError) and error.refused:
            raise error  # who waits for a server to be started waits behind one that is there
        if self._retries is None:
            try:
                # tenacity is loaded with the first failure that may be tried again.
                from ipfs_accel._resilience.retry import Retries  # noqa: PLC0415
            except OSError:  # where no file can be opened any more, this failure is what to tell
                raise error from None
            self._retries = Retries(
                guard.retry,
                guard.budget,
                guard.clock.random,
                call.remaining,
                may_repeat=self._repeatable,
                may_be_at_work=_may_be_at_work(call),
                waited=call.journey.waited,
            )
        return self._retries.next_wait(error)

    def pause(self, seconds: float) -> Steps[None]:
        """Wait before the next attempt; if there is none because the call ends here, it costs nothing."""
        try:
            yield Pause(seconds)
        except GeneratorExit:
            raise  # as above
        except BaseException:
            self._call.target.guard.budget.refund(self.spent)
            raise

    @property
    def spent(self) -> int:
        """What the last retry took from the budget."""
        return self._retries.spent if self._retries is not None else 0

    def _has_other_key(self, error: APIError) -> Steps[bool]:
        """Whether the failure was the key's, and there is another one to go on with at once."""
        call = self._call
        pool = call.target.guard.pool
        if call.key is None and pool is not None and call.hold is not None and call.hold.key is not None:
            from ipfs_accel._resilience.keypool import is_keys_fault  # noqa: PLC0415 - few endpoints have several keys

            if is_keys_fault(error) and self._rotations < len(pool) - 1 and pool.has_ready():
                self._rotations += 1
                return True
            return False
        return isinstance(error, AuthenticationError) and (yield from self._has_fresh_key())

    def _has_fresh_key(self) -> Steps[bool]:
        """Whether a key that a function gives is another one by now; asked once."""
        call = self._call
        source = call.key if call.key is not None else call.target.single_source()
        if self._has_refreshed or not callable(source) or not call.sent_keys:
            return False
        self._has_refreshed = True
        fresh = yield from keys.own(source, call.target.endpoint.name, call.remaining)
        return fresh != call.sent_keys[-1]
