"""Answers that are kept: looked up before a target is asked, and kept after it has answered, in either world."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
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
from .reader import Reader

if TYPE_CHECKING:
    from array import array

    from ipfs_accel._endpoints.target import Target
    from ipfs_accel.types import Request

    from .context import Context

__all__ = ["AnswerCache", "Lookup"]

A = TypeVar("A")

_WHOLE = {"stream": "chat", "stream_complete": "complete"}
"""Operation whose answer comes in pieces to the one whose answer is the same: an answer is kept for both."""


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
        if _WHOLE.get(operation, operation) not in CACHEABLE:
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


class Lookup:
    """What one call may have of the cache: an answer of each target that it comes to, kept under that target's name.

    Args:
        core: The client's.
        cache: Its cache.
        operation: Of the call.
    """

    def __init__(self, core: Context, cache: AnswerCache, operation: str) -> None:
        self._core = core
        self._cache = cache
        self._operation = operation
        self._kind = _WHOLE.get(operation, operation)
        self._vector: tuple[array[float] | None] | None = None

    def around(self, endpoint: str, request: Any, settings: dict[str, Any], perform: Steps[A]) -> Steps[A]:
        """Return a kept answer of a target, or ask it and keep what it answers.

        Args:
            endpoint: Whom the call goes to next.
            request: What is asked there.
            settings: What else the call is begun with.
            perform: Asks it.
        """
        cache, kind = self._cache, self._kind
        self._core.refuse_if_closed()
        started = self._core.clock.now()
        own_key = settings.get("key")
        # What tells a call's own key from others, and is not the key.
        whose = None if own_key is None else digest((yield from keys.own(own_key, endpoint)))
        target = yield from self._core.target(endpoint)
        key = cache.key_of(kind, target, request, whose)
        if key is None:
            return (yield from perform)
        found = yield Run(lambda: cache.get(kind, key))
        how = "exact"
        meaning: _Meaning | None = None
        if found is None and kind == "chat":
            meaning = yield from self._meaning(target, request, whose)
            if meaning is not None:
                near = meaning
                found = yield Run(lambda: near.find(cache))
                how = "semantic"
        if found is not None and self._fits(found, settings):
            return self._served((target, request, settings), found, how=how, started=started)  # type: ignore[no-any-return]
        answer = yield from perform

        def keep(answer: Any) -> Steps[None]:
            if not isinstance(answer, Answer):
                return
            if (yield Run(lambda: cache.put(kind, key, answer))) and meaning is not None:
                yield Run(partial(meaning.keep, cache, key))

        if not isinstance(answer, Reader):
            yield from keep(answer)
        elif answer.answer is None:
            answer.keep = keep
        else:  # all of it came in one piece
            yield from keep(answer.answer)
        return answer

    def _fits(self, answer: Any, settings: dict[str, Any]) -> bool:
        """Whether an answer is what the call asks for: it may be kept from one that named the schema and no type."""
        wanted = settings.get("wanted")
        if wanted is None or self._kind != "chat":
            return True
        from .typed import fits  # noqa: PLC0415 - few calls ask for a type

        return fits(wanted, answer)

    def _served(self, asked: tuple[Target, Any, dict[str, Any]], answer: Any, *, how: str, started: float) -> Any:
        """Say of a kept answer where it is from, and that it cost nothing this time; as a stream if one is wanted."""
        target, request, settings = asked
        core, endpoint, journey = self._core, target.endpoint, settings.get("journey")
        core.ledger.from_cache(endpoint.name, request.model)
        tried = () if journey is None else tuple(journey.tried)
        timing = Timing(
            queue=0.0 if journey is None else journey.queued,
            total=core.clock.now() - (started if journey is None else journey.started),
        )
        info = CallInfo(
            endpoint=endpoint.name,
            backend=endpoint.backend,
            model=request.model,
            attempts=len(tried),
            tried=tried,
            cost=0.0,
            cached=how,  # type: ignore[arg-type]
            timing=timing,
        )
        answer = attrs.evolve(answer, call=info)
        listeners = core.listeners(target, settings.get("hearer"))
        if listeners:
            tell(listeners, record_of(self._operation, target, info, request, answer=answer))
        if self._operation not in _WHOLE:
            return answer
        from .replayed import as_stream  # noqa: PLC0415 - as above

        return as_stream(core.call(self._operation, target, request.model, request=request, **settings), answer)

    def _meaning(self, target: Target, request: Request, whose: str | None) -> Steps[_Meaning | None]:
        """Turn the last question of a chat into a vector; without one, because of a failure or its form, None."""
        cache = self._cache
        config = cache.config.semantic
        asked_for = None if config is None else semantic.question_of(request)
        if config is None or asked_for is None:
            return None
        question, rest = asked_for
        part = cache.key_of("chat", target, rest, whose)
        if self._vector is None:  # the question is the same, whoever is asked
            self._vector = ((yield from self._vector_of(config, question)),)
        (vector,) = self._vector
        if part is None or vector is None:
            return None
        return _Meaning(digest(part, config.namespace, config.embed), vector, config)

    def _vector_of(self, config: SemanticConfig, question: str) -> Steps[array[float] | None]:
        try:
            inside = len(self._core.registry.middleware())  # which has made of the question what it is
            answer = yield from self._cache.ask(ops.EMBED, config.embed, question, {"cache": False}, inside)
        except AccelError as error:
            log.trouble(f"the cache cannot compare questions: {error}")
            return None
        return semantic.normalized(answer.vectors[0]) if answer.vectors else None


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

    def keep(self, cache: AnswerCache, key: str) -> None:
        """Keep the question beside its answer."""
        cache.store.put_question(self.part, key, self.vector)
