"""The cache as callers meet it, in both worlds: off until asked for, honest in the answer."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel import CacheConfig, Client, EndpointConfig, RetryConfig, SemanticConfig, hookimpl, load_config
from ipfs_accel import errors as e
from ipfs_accel.plans import Http, HttpResponse, post_json
from ipfs_accel.testing.raw_server import Connection, answer
from ipfs_accel.types import EmbedResponse, Image, Message, Text, Tool

from .acme import Acme
from .both_worlds import awaiting, blocking, fault, fine, scripted
from .fake_clock import FakeClock

World = Callable[..., Any]


@pytest.fixture(params=[blocking, awaiting])
def world(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., Any]:
    def make(**settings: Any) -> Any:
        import attrs

        cache = CacheConfig(**{"path": str(tmp_path / "answers"), **settings})
        return attrs.evolve(load_config(None, {}), cache=cache, retry=RetryConfig(attempts=1))

    return make


def chat(text: str = "q", **options: Any) -> tuple[str, dict[str, Any]]:
    return "chat", {"model": "acme/m", "messages": text, **options}


SURE = {"temperature": 0}


def test_an_answer_is_kept_and_says_so(world: World, config: Any) -> None:
    with scripted(fine("first"), fine("second")) as server:
        results = world(server, chat(**SURE), chat(**SURE), chat("other", **SURE), config=config())
        again = world(server, chat(**SURE), config=config())
    first, second, third = [result.answer for result in results]
    assert [first.text, second.text, third.text, again[0].answer.text] == ["first", "first", "second", "first"]
    assert [first.cached, second.cached, third.cached] == [None, "exact", None]
    assert (second.cost, second.call.attempts, second.usage) == (0.0, 0, first.usage)
    assert len(server.heads) == 2


def test_nothing_is_kept_unless_it_is_asked_for(world: World, tmp_path: Path) -> None:
    with scripted(fine()) as server:
        world(server, chat(**SURE), chat(**SURE))
    assert len(server.heads) == 2
    assert not list(tmp_path.iterdir())


def test_a_call_can_ask_for_it_without_any_configuration(world: World, monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with scripted(fine()) as server:
        results = world(server, chat(cache=True), chat(cache=True), chat())
    assert [result.answer.cached for result in results] == [None, "exact", None]
    assert (tmp_path / "ipfs-accel" / "answers.sqlite3").exists()


@pytest.mark.parametrize(
    ("options", "settings", "requests"),
    [
        ({}, {}, 2),
        ({"temperature": 0.5}, {}, 2),
        ({"temperature": 0}, {}, 1),
        ({"seed": 7}, {}, 1),
        ({}, {"sampled": True}, 1),
        ({"cache": True}, {}, 1),
        ({"temperature": 0, "cache": False}, {}, 2),
    ],
)
def test_only_answers_that_would_come_again_are_kept(
    options: dict[str, Any], settings: dict[str, Any], requests: int, config: Any
) -> None:
    with scripted(fine()) as server:
        blocking(server, chat(**options), chat(**options), config=config(**settings))
    assert len(server.heads) == requests


def test_the_time_to_live(config: Any) -> None:
    with scripted(fine()) as server, Client(config(ttl=60), plugins=[Acme(server.url)]) as client:
        clock = client._core.clock = FakeClock()
        client.chat("acme/m", "q", seed=1)
        clock.at += 59
        assert client.chat("acme/m", "q", seed=1).cached == "exact"
        clock.at += 2
        assert client.chat("acme/m", "q", seed=1).cached is None


def test_namespaces_keys_and_places_are_kept_apart(config: Any) -> None:
    with scripted(fine()) as server, scripted(fine()) as elsewhere:
        blocking(server, chat(**SURE), config=config())
        blocking(server, chat(**SURE), config=config(namespace="tenant"))
        blocking(server, chat(**SURE, key="sk-of-somebody"), config=config())
        blocking(elsewhere, chat(**SURE), config=config())
        blocking(server, chat(**SURE), config=config(), endpoint={"headers": {"x-tenant": "b"}})
    assert (len(server.heads), len(elsewhere.heads)) == (4, 1)


def test_errors_are_not_kept(world: World, config: Any) -> None:
    with scripted(fault(500), fine()) as server:
        results = world(server, chat(**SURE), chat(**SURE), config=config())
    assert [type(results[0].error), results[1].answer.text] == [e.InternalServerError, "blue"]


def test_a_fallbacks_answer_is_not_kept_as_the_first_targets(config: Any) -> None:
    with scripted(fault(503)) as bad, scripted(fine()) as good:
        endpoints = {
            "bad": EndpointConfig(backend="acme", base_url=bad.url, key=""),
            "good": EndpointConfig(backend="acme", base_url=good.url, key=""),
        }
        with Client(config(), endpoints=endpoints, plugins=[Acme("http://127.0.0.1:9")]) as client:
            for _ in range(2):
                assert client.chat(["bad/m", "good/m"], "q", **SURE).endpoint == "good"
    assert (len(bad.heads), len(good.heads)) == (2, 1)


def test_a_cache_that_cannot_be_written_fails_no_call(world: World, tmp_path: Path, config: Any) -> None:
    (tmp_path / "file").touch()
    with scripted(fine()) as server:
        results = world(server, chat(**SURE), chat(**SURE), config=config(path=str(tmp_path / "file" / "answers")))
    assert [result.answer.cached for result in results] == [None, None]


def test_what_cannot_be_kept_is_told() -> None:
    with scripted(fine()) as server:
        results = blocking(
            server,
            ("transcribe", {"model": "acme/m", "audio": b"x", "cache": True}),
            chat(cache="yes"),
            ("stream_speak", {"model": "acme/m", "text": "q", "cache": True}),
        )
    assert "not kept" in str(results[0].error)
    assert "expected True or False" in str(results[1].error)
    assert "'stream_speak' are not kept" in str(results[2].error)
    assert server.heads == []


def test_it_is_counted_apart(config: Any) -> None:
    with scripted(fine()) as server, Client(config(), plugins=[Acme(server.url)]) as client:
        for _ in range(3):
            client.chat("acme/m", "q", **SURE)
        (total,) = client.usage()
    assert (total.calls, total.cached) == (1, 2)


class Embedding(Acme):
    """Turns a question into the vector that it spells."""

    @hookimpl
    def embed(self, endpoint: Any, request: Any) -> Any:
        def read(response: HttpResponse) -> EmbedResponse:
            return EmbedResponse(vectors=tuple([array("f", each) for each in response.json()]))

        return Http(send=post_json("/embed", {"texts": request.inputs}), parse=read)


def speak(connection: Connection) -> None:
    while True:
        asked = json.loads(connection.server.bodies[-1])
        if "texts" in asked:
            vectors = [[1.0, 0.05 * text.count("please")] if "sky" in text else [0.0, 1.0] for text in asked["texts"]]
            connection.send(answer(json.dumps(vectors).encode()))
        else:
            connection.send(fine(f"answer to {asked['ask']}"))
        if connection.request() is None:
            return


def test_a_question_that_means_the_same_has_the_same_answer(world: World, config: Any) -> None:
    semantic = SemanticConfig(embed="acme/vectors", threshold=0.99)
    questions = ["why is the sky blue?", "why is the sky blue, please?", "what is the sea?"]
    with scripted(speak) as server:
        results = world(
            server, *[chat(each, **SURE) for each in questions], plugin=Embedding, config=config(semantic=semantic)
        )
    assert [result.answer.text for result in results] == [
        "answer to why is the sky blue?",
        "answer to why is the sky blue?",
        "answer to what is the sea?",
    ]
    assert [result.answer.cached for result in results] == [None, "semantic", None]


ASKED = {"role": "user", "content": "the sky?"}
TOOL = Tool(name="look", parameters={})


@pytest.mark.parametrize(
    ("messages", "options"),
    [
        ([{**ASKED, "name": "Bob"}], {}),
        ([ASKED], {"tools": [TOOL]}),
        ([ASKED], {"tools": [TOOL], "tool_choice": "required"}),
        ([ASKED], {"max_tokens": 5}),
        ([ASKED], {"user": "bob"}),
        ([ASKED], {"response_format": "json"}),
        ([ASKED], {"extra": {"k": 1}}),
        ([{"role": "system", "content": "Be short."}, ASKED], {}),
        ([{"role": "developer", "content": "Be short."}, ASKED], {}),
        ([ASKED, {"role": "assistant", "content": "Blue."}, ASKED], {}),
        ([{**ASKED, "name": "Ann"}, {"role": "assistant", "content": "Blue."}, ASKED], {}),
        ([Message.user(Text(text="the sky?"), Text(text="please"))], {}),
        ([Message.user("the sky?", Image(url="https://x.example/a.png"))], {}),
        ([{"role": "system", "content": "the sky?"}], {}),
    ],
)
def test_who_asks_or_asks_otherwise_has_no_answer_that_was_for_another(
    messages: Any, options: Any, config: Any
) -> None:
    semantic = SemanticConfig(embed="acme/vectors", threshold=0.5)
    with scripted(speak) as server:
        results = blocking(
            server,
            ("chat", {"model": "acme/m", "messages": [{**ASKED, "content": "the sky, please?"}], **SURE}),
            ("chat", {"model": "acme/m", "messages": messages, **SURE, **options}),
            ("chat", {"model": "acme/m", "messages": [ASKED], **SURE}),
            plugin=Embedding,
            config=config(semantic=semantic),
        )
    assert [result.answer.cached for result in results] == [None, None, "semantic"]


def test_only_the_question_may_differ(config: Any) -> None:
    semantic = SemanticConfig(embed="acme/vectors", threshold=0.99)
    with scripted(speak) as server:
        results = blocking(
            server,
            chat("the sky?", seed=1),
            chat("the sky, please?", seed=2),
            chat("the sky, please?", seed=1),
            plugin=Embedding,
            config=config(semantic=semantic),
        )
    assert [result.answer.cached for result in results] == [None, None, "semantic"]


def test_vectors_that_cannot_be_had_fail_no_call(world: World, config: Any) -> None:
    semantic = SemanticConfig(embed="nowhere/m")
    with scripted(fine()) as server:
        results = world(server, chat(**SURE), chat(**SURE), config=config(semantic=semantic))
    assert [result.answer.cached for result in results] == [None, "exact"]
