"""The synchronous and the asynchronous faces are one: the same names, the same signatures, the same words."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from ipfs_accel import AsyncBatchRun, AsyncClient, AsyncRunStream, AsyncStream, BatchRun, Client, RunStream, Stream

PAIRS: list[tuple[type[Any], type[Any]]] = [
    (Client, AsyncClient),
    (Stream, AsyncStream),
    (RunStream, AsyncRunStream),
    (BatchRun, AsyncBatchRun),
]
# Protocols of the language that have a twin of another name; what is listed alone waits for nothing.
TWINS = {
    "__enter__": "__aenter__",
    "__exit__": "__aexit__",
    "__iter__": "__aiter__",
    "__next__": "__anext__",
}
MEMBERS = [
    (sync, twin, name)
    for sync, twin in PAIRS
    for name in [
        *(each for each in dir(sync) if not each.startswith("_")),
        *(each for each in TWINS if hasattr(sync, each)),
    ]
]


def in_the_other_world(text: str) -> str:
    """Return an annotation or a sentence as the asynchronous face has it."""
    return re.sub(r"\b(BatchRun|RunStream|Stream|Client|Iterator|Iterable)\b", r"Async\1", text)


@pytest.mark.parametrize(("sync", "twin"), PAIRS, ids=lambda kind: kind.__name__)
def test_they_have_the_same_names(sync: type[Any], twin: type[Any]) -> None:
    names = {TWINS.get(name, name) for name in dir(sync) if not name.startswith("_") or name in TWINS}
    if twin is AsyncClient:
        names.add("relay")  # for servers, which have a loop

    assert names == {name for name in dir(twin) if not name.startswith("_") or name in TWINS.values()}


@pytest.mark.parametrize(("sync", "twin", "name"), MEMBERS, ids=[f"{s.__name__}.{name}" for s, _, name in MEMBERS])
def test_they_have_the_same_signatures(sync: type[Any], twin: type[Any], name: str) -> None:
    one = inspect.getattr_static(sync, name)
    other = inspect.getattr_static(twin, TWINS.get(name, name))
    if one is other:
        return  # what waits for nothing is written once
    assert type(one) is type(other)
    one, other = (each.fget if isinstance(each, property) else each for each in (one, other))
    theirs, ours = inspect.signature(other), inspect.signature(one)

    assert list(theirs.parameters.values()) == list(ours.parameters.values())
    assert theirs.return_annotation in {ours.return_annotation, in_the_other_world(ours.return_annotation)}
    is_stream = (
        ours.return_annotation.startswith(("Stream[", "RunStream[", "BatchRun", "Iterator[", "Self"))
        and name != "__enter__"
    )
    assert inspect.iscoroutinefunction(other) is not is_stream
    assert not inspect.iscoroutinefunction(one)


@pytest.mark.parametrize("name", [name for sync, _, name in MEMBERS if sync is Client and name not in TWINS])
def test_the_second_face_refers_to_the_first_for_its_words(name: str) -> None:
    one, other = getattr(Client, name), getattr(AsyncClient, name)
    if isinstance(one, property) or one is other:
        return
    assert one.__doc__
    starts = ("As `Client." + name + "`", one.__doc__)
    assert other.__doc__.startswith(starts)
    gives_stream = inspect.signature(other).return_annotation.startswith(
        ("AsyncStream[", "AsyncRunStream[", "AsyncBatchRun")
    )
    assert other.__doc__.endswith("not awaited itself.") is gives_stream


def test_the_protocols_of_the_language_are_kept() -> None:
    assert issubclass(Stream, Iterator)
    assert issubclass(AsyncStream, AsyncIterator)
