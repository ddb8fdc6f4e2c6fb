"""Functions of libraries that do their own I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from ipfs_accel._values import frozen

from ._plans import Collecting, Job

T = TypeVar("T")


@frozen(kw_only=True)
class Local(Generic[T]):
    """Run a blocking function: in the caller's thread, or in the thread pool of an async client.

    Attributes:
        run: Is given the `Job`, and returns the answer.
        unsupported: Options of the request that the backend cannot honour.
    """

    run: Callable[[Job], T]
    unsupported: tuple[str, ...] = ()


@frozen(kw_only=True)
class LocalStream(Generic[T]):
    """Run a blocking generator that tells the assembler what happens and yields after each step.

    Attributes:
        run: Is given the assembler and the `Job`.
        assembler: Makes the assembler.
        unsupported: Options of the request that the backend cannot honour.
    """

    run: Callable[[Any, Job], Iterator[None]]
    assembler: Callable[[], Collecting[T]]
    unsupported: tuple[str, ...] = ()
