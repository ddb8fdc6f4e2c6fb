"""The key of a request: one that stands fast, or what a function gives, which either world asks in its own way."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from ipfs_accel._config.secrets import key_of, reveal
from ipfs_accel._secret import KeySource, Secret
from ipfs_accel.errors import AccelError, DeadlineExceededError

if TYPE_CHECKING:
    from ipfs_accel._worlds.effects import Steps
    from ipfs_accel._worlds.worlds import AsyncWorld, World
    from ipfs_accel.plans import Job


__all__ = ["Asked", "give", "own"]


class Asked:
    """Ask a function for a key; its result is the key.

    Args:
        source: The function.
        endpoint: Which endpoint it is for.
        seconds: How long it may be awaited; None is no limit.
    """

    __slots__ = ("endpoint", "seconds", "source")

    def __init__(self, source: Callable[[], Any], endpoint: str, seconds: float | None = None) -> None:
        self.source = source
        self.endpoint = endpoint
        self.seconds = seconds

    def sync(self, _world: World) -> str:
        return reveal(self.source, self.endpoint)

    async def asynchronous(self, _world: AsyncWorld) -> str:
        from anyio import move_on_after  # noqa: PLC0415 - few keys are asked for

        with move_on_after(self.seconds):
            return key_of(await _settled(self.source()), self.endpoint)
        raise DeadlineExceededError(
            "the function that gives the key was not done in time", endpoint=self.endpoint, phase="total", sent=False
        )


async def _settled(given: Any) -> Any:
    return await given if inspect.isawaitable(given) else given


def own(source: KeySource, endpoint: str, remaining: Callable[[], float | None] | None = None) -> Steps[str]:
    """Return the key that a call brings, or that an endpoint has; `remaining` tells how long a function may take."""
    if isinstance(source, Secret):
        return reveal(source, endpoint)
    key: str = yield Asked(source, endpoint, None if remaining is None else remaining())
    return key


def give(chosen: Steps[str | None], job: Job) -> Steps[None]:
    """Let a job have the key; one that cannot be had fails the job only if it wants one."""
    try:
        key = yield from chosen
    except AccelError as error:
        failure = error

        def refuse() -> NoReturn:
            raise failure

        job.key = refuse
    else:
        job.key = lambda: None if key is None else Secret(key)
