"""Vectors of a server that does not know base64, or not what vectors are."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from ipfs_accel import BackendInfo, RetryConfig
from ipfs_accel import errors as e
from ipfs_accel.testing.raw_server import RawServer, answer
from ipfs_accel.wire.openai import OpenAICompatible

from .both_worlds import awaiting, blocking, on_trio, scripted

Json = dict[str, Any]
World = Callable[..., Any]

REFUSALS: dict[str, tuple[str, Json]] = {
    "by its sentence": (
        "400 Bad Request",
        {"error": {"message": "parameters not supported: {'encoding_format': 'base64'}", "code": "400"}},
    ),
    "by the parameter": (
        "400 Bad Request",
        {"error": {"message": "Unrecognized request argument", "param": "encoding_format"}},
    ),
    "by the place": (
        "422 Unprocessable Entity",
        {"detail": [{"loc": ["body", "encoding_format"], "msg": "unexpected value; permitted: 'float'"}]},
    ),
    "with a status of success": (
        "200 OK",
        {"error": {"message": "encoding_format is unknown", "type": "invalid_request_error"}},
    ),
}
OTHER = answer(json.dumps({"error": {"message": "no such input"}}).encode(), "400 Bad Request")


class Dialect(OpenAICompatible):
    api_version = 1
    info: ClassVar[BackendInfo] = BackendInfo(name="acme")

    def __init__(self, base_url: str) -> None:
        self.info = BackendInfo(name="acme", base_url=base_url)  # type: ignore[misc]


@pytest.fixture(params=[blocking, awaiting, on_trio], ids=["sync", "asyncio", "trio"])
def world(request: pytest.FixtureRequest) -> Any:
    return request.param


def refusal(name: str) -> bytes:
    status, body = REFUSALS[name]
    return answer(json.dumps(body).encode(), status)


def vectors(*values: Any) -> bytes:
    data = [{"index": index, "embedding": value} for index, value in enumerate(values)]
    return answer(json.dumps({"data": data, "model": "m"}).encode())


def asked(model: str = "m", **options: Any) -> tuple[str, Json]:
    return "embed", {"model": f"acme/{model}", "inputs": ["a"], **options}


def embed(world: World, server: RawServer, *calls: tuple[str, Json], **settings: Any) -> list[Any]:
    found = world(server, *calls, plugin=Dialect, **settings)
    return [each.answer if each.error is None else each.error for each in found]


def formats(server: RawServer) -> list[str | None]:
    return [json.loads(body).get("encoding_format") for body in server.bodies]


@pytest.mark.parametrize("name", REFUSALS)
def test_a_server_that_refuses_base64_is_asked_once_more_without(name: str, world: World) -> None:
    with scripted(refusal(name), vectors([0.5])) as server:
        first, second = embed(world, server, asked(), asked(), endpoint={"retry": RetryConfig(attempts=1)})
    assert list(first.vectors[0]) == list(second.vectors[0]) == [0.5]
    assert formats(server) == ["base64", None, None]
    assert (first.call.attempts, second.call.attempts) == (2, 1)
    assert [each.waited for each in first.call.tried] == [0.0]


def test_what_was_learnt_holds_for_the_model(world: World) -> None:
    with scripted(refusal("by the place"), vectors([0.5])) as server:
        embed(world, server, asked("m"), asked("n"), asked("m"))
    assert formats(server) == ["base64", None, "base64", None]


def test_nothing_is_learnt_from_a_second_refusal(world: World) -> None:
    with scripted(refusal("by the place"), OTHER, refusal("by the place"), vectors([0.5])) as server:
        first, second = embed(world, server, asked(), asked())
    assert type(first) is e.BadRequestError
    assert (first.message, first.attempts) == ("no such input", 2)
    assert list(second.vectors[0]) == [0.5]
    assert formats(server) == ["base64", None, "base64", None]


def test_who_names_the_form_is_told_that_it_is_refused(world: World) -> None:
    with scripted(refusal("by the place")) as server:
        (found,) = embed(world, server, asked(extra={"encoding_format": "base64"}))
    assert type(found) is e.UnprocessableEntityError
    assert "encoding_format" in (found.hint or "")
    assert len(server.bodies) == 1


def test_another_refusal_is_final(world: World) -> None:
    with scripted(OTHER) as server:
        (found,) = embed(world, server, asked())
    assert (type(found), found.attempts, len(server.bodies)) == (e.BadRequestError, 1, 1)


def test_a_failure_on_the_way_is_tried_again_in_the_form_that_is_left(world: World) -> None:
    busy = answer(b'{"error": {"message": "busy"}}', "503 Busy")
    with scripted(refusal("by the place"), busy, vectors([0.5])) as server:
        (found,) = embed(world, server, asked(), endpoint={"retry": RetryConfig()})
    assert found.call.attempts == 3
    assert formats(server) == ["base64", None, None]


def test_vectors_of_another_length_than_asked_for_are_refused(world: World) -> None:
    with scripted(vectors([0.5, 1.0])) as server:
        found, plain, other = embed(world, server, asked(dimensions=8), asked(), asked(extra={"dimensions": 1}))
    for error in (found, other):
        assert type(error) is e.InvalidResponseError
        assert "leave dimensions out" in (error.hint or "")
    assert list(plain.vectors[0]) == [0.5, 1.0]


def test_the_vector_that_is_none_is_named(world: World) -> None:
    with scripted(vectors([0.5], [None])) as server:
        (found,) = embed(world, server, asked(inputs=["a", "b"]))
    assert type(found) is e.InvalidResponseError
    assert found.message.startswith("vectors[1]: ")
    assert found.hint
