"""Embeddings of more inputs than one request may have: split, asked for in parts, and put together again."""

from __future__ import annotations

import json
import pickle
import signal
import threading
from array import array
from typing import Any

import attrs
import pytest
from ipfs_accel import (
    BatchingConfig,
    CacheConfig,
    Config,
    EndpointConfig,
    ModelOverride,
    RetryConfig,
    RouteConfig,
    hookimpl,
)
from ipfs_accel import errors as e
from ipfs_accel._calls import parts
from ipfs_accel.plans import Http, HttpResponse, post_json
from ipfs_accel.testing.raw_server import Connection, answer, serve
from ipfs_accel.types import EmbedPartial, EmbedResponse, Usage

from .acme import Acme
from .both_worlds import awaiting, blocking, fault, on_trio

WORLDS = pytest.mark.parametrize("world", [blocking, awaiting, on_trio], ids=["sync", "asyncio", "trio"])
TEXTS = [str(number) for number in range(9)]


class Embedding(Acme):
    """Gives each text the vector of its number, two in one request."""

    @hookimpl
    def describe(self) -> Any:
        return attrs.evolve(super().describe(), max_inputs=2)

    @hookimpl
    def embed(self, endpoint: Any, request: Any) -> Any:
        if "empty" in request.inputs:
            raise e.InvalidRequestError(f"inputs[{request.inputs.index('empty')}]: it is empty")

        def read(response: HttpResponse) -> EmbedResponse:
            vectors = tuple([array("f", each) for each in response.json()])
            return EmbedResponse(vectors=vectors, model="m", usage=Usage(input_tokens=len(vectors)), raw=len(vectors))

        return Http(send=post_json("/embed", {"texts": request.inputs}), parse=read)


class Ears:
    """Hears of calls."""

    api_version = 1

    def __init__(self) -> None:
        self.records: list[Any] = []

    @hookimpl
    def call_finished(self, record: Any) -> None:
        self.records.append(record)


def said(texts: list[str]) -> bytes:
    if "bad" in texts:
        return fault(400, "bad_text")
    return answer(json.dumps([[int(text), 1] if text != "long" else [1, 2, 3] for text in texts]).encode())


def numbers(connection: Connection) -> None:
    while (head := connection.head()) is not None:
        connection.send(said(json.loads(connection.body(head))["texts"]))


def asked(server: Any) -> list[list[str]]:
    return sorted(json.loads(body)["texts"] for body in server.bodies)


def embed(
    world: Any, server: Any, inputs: list[Any], *, model: Any = "acme/m", more: Any = None, **options: Any
) -> Any:
    call = ("embed", {"model": model, "inputs": inputs, **options})
    (found,) = world(server, call, plugin=Embedding, **(more or {}))
    return found.answer if found.error is None else found.error


PRICED = {"endpoint": {"models": {"m": ModelOverride(input_price=1e6, output_price=0.0)}}}


@WORLDS
def test_parts_come_together_in_the_order_of_the_inputs(world: Any) -> None:
    told: list[tuple[int, int]] = []
    with serve(numbers) as server:
        found = embed(world, server, TEXTS, more=PRICED, on_progress=lambda *each: told.append(each))
        assert asked(server) == [["0", "1"], ["2", "3"], ["4", "5"], ["6", "7"], ["8"]]
    assert [vector[0] for vector in found.vectors] == list(range(9))
    assert (found.model, found.usage, found.raw) == ("m", Usage(input_tokens=9), [2, 2, 2, 2, 1])
    assert (found.cost, found.call.parts, found.call.attempts, found.endpoint) == (9.0, 5, 1, "acme")
    assert max(told) == (9, 9)
    assert len(told) == 5


@WORLDS
def test_what_one_request_takes_is_one_request(world: Any) -> None:
    told: list[tuple[int, int]] = []
    with serve(numbers) as server:
        found = embed(world, server, ["1", "2"], on_progress=lambda *each: told.append(each))
        assert (found.raw, found.call.parts, told) == (2, 1, [(2, 2)])
        assert embed(world, server, ["1", "2"]).raw == 2
        assert len(server.bodies) == 2


@WORLDS
def test_some_parts_are_under_way_together(world: Any) -> None:
    together = threading.Barrier(parts.AT_ONCE)

    def meeting(connection: Connection) -> None:
        while (head := connection.head()) is not None:
            texts = json.loads(connection.body(head))["texts"]
            together.wait(60)  # were there fewer at once, this would break
            connection.send(said(texts))

    with serve(meeting) as server:
        found = embed(world, server, [str(each) for each in range(4 * parts.AT_ONCE)])
    assert len(found.vectors) == 4 * parts.AT_ONCE


@WORLDS
def test_a_part_that_fails_leaves_what_came_and_the_rest_unasked(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "AT_ONCE", 1)
    with serve(numbers) as server:
        error = embed(world, server, ["0", "1", "2", "bad", "4", "5"], more=PRICED)
        assert asked(server) == [["0", "1"], ["2", "bad"]]
    assert isinstance(error, e.BadRequestError)
    partial = error.partial
    assert isinstance(partial, EmbedPartial)
    assert {place: vector[0] for place, vector in partial.vectors.items()} == {0: 0, 1: 1}
    assert (partial.failed, partial.usage, partial.cost) == (range(2, 4), Usage(input_tokens=2), 2.0)
    assert "inputs 2 to 3 failed; 2 of 6 inputs have their vectors, in the error's partial" in error.__notes__
    assert pickle.loads(pickle.dumps(error)).partial == partial  # noqa: S301 - our own


@WORLDS
def test_a_fault_is_told_at_its_place_among_all_inputs(world: Any) -> None:
    with serve(numbers) as server:
        error = embed(world, server, ["0", "1", "2", "empty", "4"])
    assert error.message == "inputs[3]: it is empty"
    assert error.partial.failed == range(2, 4)


@WORLDS
def test_parts_that_differ_in_length_are_no_answer(world: Any) -> None:
    with serve(numbers) as server:
        error = embed(world, server, ["0", "1", "long"])
    assert isinstance(error, e.InvalidResponseError)
    assert "vectors differ in length" in error.message


@WORLDS
def test_a_part_is_tried_again_alone(world: Any) -> None:
    failed = threading.Event()

    def once(connection: Connection) -> None:
        while (head := connection.head()) is not None:
            texts = json.loads(connection.body(head))["texts"]
            if "2" in texts and not failed.is_set():
                failed.set()
                connection.send(fault(503))
            else:
                connection.send(said(texts))

    with serve(once) as server:
        found = embed(world, server, ["0", "1", "2", "3"], more={"endpoint": {"retry": RetryConfig()}})
        assert asked(server) == [["0", "1"], ["2", "3"], ["2", "3"]]
    assert [vector[0] for vector in found.vectors] == [0, 1, 2, 3]
    assert (found.call.attempts, [each.status for each in found.call.tried]) == (2, [503])


@WORLDS
def test_each_part_has_its_record(world: Any) -> None:
    ears = Ears()
    with serve(numbers) as server:
        assert len(embed(world, server, TEXTS, more={"middleware": [ears]}).vectors) == 9
    assert sorted(record.usage.input_tokens for record in ears.records) == [1, 2, 2, 2, 2]


@WORLDS
def test_a_target_of_which_a_part_fails_gives_way_to_the_next_with_all_inputs(world: Any) -> None:
    def limited(connection: Connection) -> None:
        while (head := connection.head()) is not None:
            texts = json.loads(connection.body(head))["texts"]
            connection.send(fault(503) if "first" in head and "2" in texts else said(texts))

    with serve(limited) as server:
        endpoints = {
            "first": EndpointConfig(backend="acme", base_url=f"{server.url}/first"),
            "second": EndpointConfig(backend="acme", base_url=f"{server.url}/second"),
        }
        config = Config(endpoints=endpoints, routes={"any": RouteConfig(targets=("first/m", "second/m"))})
        found = embed(world, server, ["0", "1", "2", "3"], model="any", more={"config": config})
    assert ([vector[0] for vector in found.vectors], found.endpoint) == ([0, 1, 2, 3], "second")
    assert [each.endpoint for each in found.call.tried] == ["first"]


@WORLDS
def test_what_the_caller_raises_ends_the_call(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "AT_ONCE", 1)

    def stop(_done: int, _total: int) -> None:
        raise KeyError("enough")

    with serve(numbers) as server:
        with pytest.raises(KeyError, match="enough"):
            embed(world, server, TEXTS, on_progress=stop)
        assert asked(server) == [["0", "1"]]


def test_an_interrupt_leaves_the_parts_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    is_left = threading.Event()

    class Watched(parts.Gather[Any]):
        def __init__(self, calls: Any, stop: Any) -> None:
            super().__init__(calls, lambda: (stop(), is_left.set())[1])

    def interrupting(connection: Connection) -> None:
        while (head := connection.head()) is not None:
            texts = json.loads(connection.body(head))["texts"]
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            is_left.wait(60)
            connection.send(said(texts))

    monkeypatch.setattr(parts, "AT_ONCE", 1)
    monkeypatch.setattr(parts, "Gather", Watched)
    with serve(interrupting) as server:
        with pytest.raises(KeyboardInterrupt):
            embed(blocking, server, TEXTS)
        assert asked(server) == [["0", "1"]]


@WORLDS
def test_an_answer_in_parts_is_kept_whole(world: Any, tmp_path: Any) -> None:
    config = Config(cache=CacheConfig(path=str(tmp_path / "answers")))
    call = ("embed", {"model": "acme/m", "inputs": TEXTS})
    with serve(numbers) as server:
        first, again = world(server, call, call, plugin=Embedding, config=config)
        assert len(server.bodies) == 5
    assert (first.answer.cached, again.answer.cached) == (None, "exact")
    assert again.answer.vectors == first.answer.vectors


@WORLDS
def test_who_watches_has_to_be_a_function(world: Any) -> None:
    with serve(numbers) as server:
        assert embed(world, server, TEXTS, on_progress=1).message == "on_progress: expected a function, got int"


@WORLDS
def test_joined_calls_are_split_as_any(world: Any) -> None:
    with serve(numbers) as server:
        batching = BatchingConfig(max_inputs=4, max_wait=0.001)
        found = embed(world, server, ["0", "1", "2"], more={"endpoint": {"batching": batching}})
        assert asked(server) == [["0", "1"], ["2"]]
    assert [vector[0] for vector in found.vectors] == [0, 1, 2]
