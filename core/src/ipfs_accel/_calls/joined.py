"""Small embeddings that come at once, joined into one request: waiting for company, and the shares of an answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from copy import copy
from typing import TYPE_CHECKING, Any

import attrs

from ipfs_accel._resilience.batching import Batch, Batcher, Member
from ipfs_accel._worlds.effects import Steps, Wait
from ipfs_accel.errors import (
    AccelError,
    BadRequestError,
    DeadlineExceededError,
    InvalidResponseError,
    UnprocessableEntityError,
)
from ipfs_accel.types import Usage

from . import keys
from .call import Call

if TYPE_CHECKING:
    from ipfs_accel.types import EmbedRequest, EmbedResponse

__all__ = ["joined"]

_TOO_LARGE = 413
_ALONE = object()
"""What a member is told that has to ask by itself: the joined request was refused, and one of the others may be why."""


def joined(
    call: Call, batcher: Batcher, request: EmbedRequest, alone: Callable[[EmbedRequest], Steps[EmbedResponse]]
) -> Steps[EmbedResponse]:
    """Perform an embedding with others that come at the same time.

    Args:
        call: One of them; for its time limit.
        batcher: Of the endpoint.
        request: What is asked.
        alone: Performs a request of its own.
    """
    group = yield from _group(call, request)
    entered = batcher.join(group, request.inputs)
    if entered is None:
        return (yield from alone(request))
    batch, member = entered
    try:
        while member.outcome is None:
            if member.leads:
                yield from _lead(call, batcher, (group, batch, member), request, alone)
            else:
                yield Wait(member, lambda: _patience(call, member))
                if call.remaining() == 0 and not _has_news(member):
                    raise DeadlineExceededError("the joined request was not over in time", phase="total")
    except BaseException:
        batcher.leave(group, batch, member)
        raise
    return (yield from _share(member, request, alone))


def _group(call: Call, request: EmbedRequest) -> Steps[tuple[str, str]]:
    """Return what calls have in common that may go together."""
    key = ""
    if call.key is not None:
        own = yield from keys.own(call.key, call.target.endpoint.name, call.remaining)
        key = hashlib.sha256(own.encode()).hexdigest()
    return repr(attrs.evolve(request, inputs=())), f"{key} {call.on_unsupported}"


def _has_news(member: Member) -> bool:
    return member.outcome is not None or member.leads


def _patience(call: Call, member: Member) -> float | None:
    return 0.0 if _has_news(member) else call.remaining()


def _lead(
    call: Call,
    batcher: Batcher,
    place: tuple[Any, Batch, Member],
    request: EmbedRequest,
    alone: Callable[[EmbedRequest], Steps[EmbedResponse]],
) -> Steps[None]:
    """Wait for company, then perform the batch for all who are in it."""
    group, batch, leader = place
    while not batch.is_closed and call.now() < batch.closes_at:
        yield Wait(leader, lambda: 0.0 if batch.is_closed else max(0.0, batch.closes_at - call.now()))
    batcher.close(group, batch)
    members = list(batch.members)
    inputs = tuple([each for member in members for each in member.inputs])
    try:
        answer = yield from alone(attrs.evolve(request, inputs=inputs))
        outcomes = _split(answer, members)
    except AccelError as error:
        others = _ALONE if _may_be_one_calls_own(error) else error
        outcomes = [others] * len(members)
        if len(members) > 1:
            error.partial = None  # whose positions are those of the joined request
        if isinstance(error, DeadlineExceededError) or len(members) == 1:
            outcomes[members.index(leader)] = error
    batcher.finish(members, outcomes)


def _may_be_one_calls_own(error: AccelError) -> bool:
    """Whether a failure may be due to one call's inputs, or to its time limit, and not concern the others."""
    own = isinstance(error, BadRequestError | UnprocessableEntityError | DeadlineExceededError)
    return own or getattr(error, "status", None) == _TOO_LARGE


def _split(answer: EmbedResponse, members: list[Member]) -> list[Any]:
    if len(members) == 1:
        return [answer]
    wanted = sum(len(member.inputs) for member in members)
    if len(answer.vectors) != wanted:
        raise InvalidResponseError(f"{wanted} inputs were sent and {len(answer.vectors)} vectors came")
    shares = []
    start = 0
    # What the joined request used and cost is known only of all together.
    info = None if answer.call is None else attrs.evolve(answer.call, cost=None, joined=len(members))
    for member in members:
        end = start + len(member.inputs)
        shares.append(attrs.evolve(answer, vectors=answer.vectors[start:end], usage=Usage(), raw=None, call=info))
        start = end
    return shares


def _share(
    member: Member, request: EmbedRequest, alone: Callable[[EmbedRequest], Steps[EmbedResponse]]
) -> Steps[EmbedResponse]:
    outcome = member.outcome
    if outcome is _ALONE:
        return (yield from alone(request))
    if isinstance(outcome, AccelError):
        raise copy(outcome)  # each caller has its own, with its own traceback
    return outcome  # type: ignore[no-any-return]
