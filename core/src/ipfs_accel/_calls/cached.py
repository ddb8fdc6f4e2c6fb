"""Answers that are kept: looked up before a call goes anywhere, and kept after it, in either world."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from ipfs_accel._config.paths import cache_dir
from ipfs_accel._resilience import semantic
from ipfs_accel._resilience.cache import AnswerStore
from ipfs_accel._resilience.codec import CACHEABLE, decode, digest, encode
from ipfs_accel._resilience.optional import CacheConfig, SemanticConfig
from ipfs_accel._telemetry import log
from ipfs_accel._telemetry.records import record_of, tell
from ipfs_accel._values import frozen
from ipfs_accel._worlds.effects import Run, Steps
from ipfs_accel.errors import AccelError, InvalidRequestError
from ipfs_accel.types import Answer, CallInfo, ChatRequest, CompletionRequest, Timing

from . import keys
from . import operations as ops

if TYPE_CHECKING:
    from array import array

    from ipfs_accel._endpoints.target import Target
    from ipfs_accel.types import Request

    from .context import Context

__all__ = ["AnswerCache", "cached"]

A = TypeVar("A")


class AnswerCache:
    """One client's cache: the file, and what belongs into it.

    Args:
        config: How it is configured.
        now: Seconds since 1970.
        ask: Performs an operation that has one whole answer, as the client's own do; questions become vectors by it.
    """

    def __init__(self, config: CacheConfig, now: Callable[[], float], ask: Callable[..., Steps[Any]]) -> None:
        path = cache_dir() / "answers.sqlite3" if config.path is None else Path(config.path).expanduser()
        self.config = config
        self.ask = ask
        self.store = AnswerStore(path, config.ttl, config.max_bytes, now, log.trouble)

    def wants(self, operation: str, request: Request, asked: bool | None) -> bool:
        """Whether an answer is to be looked up and kept.

        Raises:
            InvalidRequestError: The call asks for it, but answers of that operation are not kept.
        """
        if asked is False:
            return False
        if operation not in CACHEABLE:
            if asked:
                known = ", ".join(CACHEABLE)
                raise InvalidRequestError(f"cache: answers of {operation!r} are not kept", hint=f"those of {known} are")
            return False
        if asked or self.config.sampled or not isinstance(request, ChatRequest | CompletionRequest):
            return True
        return request.temperature == 0 or request.seed is not None

    def key_of(self, operation: str, target: Target, request: Request, whose: str | None) -> str | None:
        """Return what an answer is kept under; None for a request that has no equal."""
        endpoint = target.endpoint
        place = (endpoint.name, endpoint.backend, endpoint.base_url, endpoint.options, target.headers)
        try:
            return digest(self.config.namespace, operation, place, whose, request)
        except (TypeError, ValueError, RecursionError):
            return None

    def get(self, operation: str, key: str) -> Any:
        """Return a kept answer, None if there is none that is whole."""
        text = self.store.get(key)
        if text is None:
            return None
        try:
            return decode(operation, text)
        except Exception:  # noqa: BLE001 - an entry of another version or a damaged one is none
            return None

    def put(self, operation: str, key: str, answer: Answer) -> bool:
        """Keep an answer."""
        try:
            text = encode(answer)
        except (TypeError, ValueError, RecursionError):
            return False
        return self.store.put(key, operation, text)


def cached(
    core: Context,
    cache: AnswerCache,
    operation: str,
    asking: tuple[str, Request, dict[str, Any]],
    perform: Steps[A],
) -> Steps[A]:
    """Return a kept answer, or perform the call and keep its answer.

    Args:
        core: The client's.
        cache: Its cache.
        operation: Of the call.
        asking: The first endpoint that it may go to, its request, and its other settings.
        perform: Performs it.
    """
    endpoint, request, settings = asking
    started = core.clock.now()
    own_key = settings.get("key")
    # What tells a call's own key from others, and is not the key.
    whose = None if own_key is None else digest((yield from keys.own(own_key, endpoint)))
    target = yield from core.target(endpoint)
    key = cache.key_of(operation, target, request, whose)
    if key is None:
        return (yield from perform)
    found = yield Run(lambda: cache.get(operation, key))
    how = "exact"
    meaning: _Meaning | None = None
    if found is None and operation == "chat":
        meaning = yield from _meaning_of(core, cache, (target, request, whose))
        if meaning is not None:
            near = meaning
            found = yield Run(lambda: near.find(cache))
            how = "semantic"
    if found is not None:
        return _told(core, (operation, target, request), found, how=how, started=started)  # type: ignore[no-any-return]
    answer = yield from perform
    served = answer.call.endpoint if isinstance(answer, Answer) and answer.call is not None else endpoint
    if served != endpoint or not isinstance(answer, Answer):
        return answer  # a fallback's answer is not what was asked for first
    kept: Answer = answer
    if (yield Run(lambda: cache.put(operation, key, kept))) and meaning is not None:
        near = meaning
        yield Run(lambda: cache.store.put_question(near.part, key, near.vector))
    return answer


def _told(core: Context, asked: tuple[str, Target, Request], answer: Any, *, how: str, started: float) -> Any:
    """Say of a kept answer where it is from, and that it cost nothing this time."""
    operation, target, request = asked
    core.ledger.from_cache(target.endpoint.name, request.model)
    info = CallInfo(
        endpoint=target.endpoint.name,
        backend=target.endpoint.backend,
        model=request.model,
        attempts=0,
        cost=0.0,
        cached=how,  # type: ignore[arg-type]
        timing=Timing(total=core.clock.now() - started),
    )
    listeners = core.listeners(target)
    if listeners:
        tell(listeners, record_of(operation, target, info, request, answer=answer))
    return attrs.evolve(answer, call=info)


@frozen
class _Meaning:
    """A question as a vector, among the questions that it may be compared with."""

    part: str
    vector: array[float]
    config: SemanticConfig

    def find(self, cache: AnswerCache) -> Any:
        """Return the kept answer to the question that means the same, if there is one."""
        known = cache.store.questions(self.part, self.config.max_entries)
        best = semantic.nearest(self.vector, known, self.config.threshold)
        return None if best is None else cache.get("chat", best[0])


def _meaning_of(
    core: Context,
    cache: AnswerCache,
    asked: tuple[Target, Request, str | None],
) -> Steps[_Meaning | None]:
    """Turn the last question of a chat into a vector; without one, because of a failure or its form, None."""
    target, request, whose = asked
    config = cache.config.semantic
    asked_for = None if config is None else semantic.question_of(request)
    if config is None or asked_for is None:
        return None
    question, rest = asked_for
    part = cache.key_of("chat", target, rest, whose)
    try:
        inside = len(core.registry.middleware())  # which has made of the question what it is
        answer = yield from cache.ask(ops.EMBED, config.embed, question, {"cache": False}, inside)
    except AccelError as error:
        log.trouble(f"the cache cannot compare questions: {error}")
        return None
    vector = semantic.normalized(answer.vectors[0]) if answer.vectors else None
    if part is None or vector is None:
        return None
    return _Meaning(digest(part, config.namespace, config.embed), vector, config)
