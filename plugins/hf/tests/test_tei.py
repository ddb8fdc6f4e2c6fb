"""The `tei` backend over a server that has TEI's own limits and errors."""

from __future__ import annotations

import re
import threading
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig
from ipfs_accel import errors as e
from ipfs_accel.types import Label, RankedDocument, Usage
from ipfs_accel_hf.tei import SparseVector
from pytest_httpserver import HTTPServer

from .tei_server import INFO, Tei, vector

WORDS = [f"text {number}" for number in range(11)]
LONG = " ".join("abcdefghij")


@contextmanager
def serving(app: Tei, **options: Any) -> Iterator[Client]:
    """A client of a server that handles requests side by side."""
    with HTTPServer(threaded=True) as server:
        server.expect_request(re.compile("/.*")).respond_with_handler(app)
        endpoint = EndpointConfig(base_url=server.url_for(""), options=options)
        with Client(Config(), endpoints={"tei": endpoint}) as client:
            yield client


@pytest.fixture
def start(httpserver: HTTPServer) -> Iterator[Callable[..., tuple[Tei, Client]]]:
    """Start a server of a kind with settings; gives it and a client of it."""
    with ExitStack() as stack:

        def run(kind: str = "embedding", options: dict[str, Any] | None = None, **settings: Any) -> tuple[Tei, Client]:
            app = Tei(kind, **settings)
            app.prefix = f"/{id(app)}"
            httpserver.expect_request(re.compile(f"{app.prefix}/.*")).respond_with_handler(app)
            endpoint = EndpointConfig(base_url=httpserver.url_for(app.prefix), key=app.key, options=options or {})
            return app, stack.enter_context(Client(Config(), endpoints={"tei": endpoint}))

        yield run


Start = Callable[..., tuple[Tei, Client]]


def expected(texts: list[Any]) -> tuple[array[float], ...]:
    return tuple([array("f", vector(text)) for text in texts])


# vectors


def test_vectors(start: Start) -> None:
    app, client = start()
    answer = client.embed("tei/", "What is Deep Learning?")
    assert answer.vectors == expected(["What is Deep Learning?"])
    assert (answer.model, answer.usage) == ("thenlper/gte-base", Usage(input_tokens=4))
    # As base64, and without a question for the limits, which one input cannot exceed.
    assert app.seen == [("/v1/embeddings", {"input": "What is Deep Learning?", "encoding_format": "base64"})]


def test_many_vectors_come_in_batches_and_in_order(start: Start) -> None:
    app, client = start()
    answer = client.embed("tei/", WORDS)
    assert answer.vectors == expected(WORDS)
    assert answer.usage == Usage(input_tokens=22)
    assert sorted([body["input"] for _, body in app.seen], key=str) == [WORDS[:4], WORDS[4:8], WORDS[8:]]
    assert len(answer.raw) == 3
    client.embed("tei/", WORDS[:2])  # the limits are known by now
    assert len(client.embed("tei/", WORDS).vectors) == 11


def test_a_batch_that_fails_leaves_the_vectors_that_came(start: Start) -> None:
    _, client = start(auto_truncate=False)
    texts = [*WORDS[:4], "much longer than this model reads, by some words of no use", *WORDS[4:7], *WORDS[7:]]
    with pytest.raises(e.AccelError) as caught:
        client.embed("tei/", texts)
    partial: Any = caught.value.partial
    assert partial.failed == range(4, 8)
    assert set(partial.failed).isdisjoint(partial.vectors)
    assert [partial.vectors[place] for place in partial.vectors] == list(
        expected([texts[place] for place in partial.vectors])
    )


CALLS: list[tuple[str, Callable[[Client], Any]]] = [
    ("embedding", lambda client: len(client.embed("tei/", WORDS).vectors)),
    ("embedding", lambda client: len(client.embed("tei/", WORDS, extra={"normalize": True}).vectors)),
    ("embedding", lambda client: len(client.call("tei", "embed_all", inputs=WORDS))),
    ("embedding", lambda client: len(client.call("tei", "similarity", source="a", sentences=WORDS))),
    ("reranker", lambda client: len(client.rerank("tei/", "q", WORDS).results)),
    ("classifier", lambda client: len(client.classify("tei/", WORDS).results)),
]
BATCHED = ["embed", "native", "all", "similarity", "rerank", "classify"]


@pytest.mark.parametrize(("kind", "call"), CALLS, ids=BATCHED)
@pytest.mark.parametrize("first", [32, 8])  # one request, and several
def test_a_limit_that_has_changed_is_asked_for_anew(
    first: int, kind: str, call: Callable[[Client], Any], start: Start
) -> None:
    app, client = start(kind, max_client_batch_size=first)
    assert call(client) == len(WORDS)
    app.info["max_client_batch_size"] = 4
    for _ in range(2):
        assert call(client) == len(WORDS)
    app.seen.clear()
    assert call(client) == len(WORDS)
    assert len(app.seen) == (
        4 if "similarity" in str(app.seen) else 3
    )  # its source counts too, so that three go at once


@pytest.mark.parametrize(("kind", "call"), CALLS, ids=BATCHED)
@pytest.mark.parametrize("hidden", [401, 403, 404, 405, 200])
def test_a_gateway_may_hide_what_the_limits_are(
    hidden: int, kind: str, call: Callable[[Client], Any], start: Start
) -> None:
    app, client = start(kind, hidden=hidden)  # at most four at once, where the usual limit is 32
    assert call(client) == len(WORDS)
    app.seen.clear()
    assert call(client) == len(WORDS)
    assert len(app.seen) == (4 if "similarity" in str(app.seen) else 3)


def test_a_limit_that_changes_all_the_time_is_an_error(start: Start) -> None:
    app, client = start(max_client_batch_size=8)
    client.embed("tei/", WORDS)
    limits = iter([6, 4, 2])
    usual = app.batch

    def shrinking(value: Any, name: str = "inputs", beside: int = 0) -> list[Any]:
        app.info["max_client_batch_size"] = next(limits)
        return usual(value, name, beside)

    app.batch = shrinking  # type: ignore[method-assign]
    with pytest.raises(e.UnprocessableEntityError, match="maximum allowed batch size"):
        client.embed("tei/", WORDS[:7])


def test_a_server_that_is_not_well_does_not_count_as_hidden(start: Start) -> None:
    _, client = start(hidden=500)
    with pytest.raises(e.InternalServerError):
        client.embed("tei/", WORDS)


def test_batches_are_under_way_together() -> None:
    app = Tei(max_client_batch_size=1)
    app.gate = threading.Barrier(3)
    with serving(app, parallel=3) as client:
        assert client.embed("tei/", ["a", "b", "c"]).vectors == expected(["a", "b", "c"])


def test_batches_leave_the_server_its_permits() -> None:
    # Each input takes a permit, so no more than two batches of four may be under way.
    app = Tei(max_concurrent_requests=8)
    with serving(app, parallel=16) as client:
        assert len(client.embed("tei/", ["a"] * 64).vectors) == 64
    app = Tei(max_concurrent_requests=3)
    with serving(app) as client, pytest.raises(e.RateLimitError, match="Model is overloaded") as caught:
        client.embed("tei/", ["a"] * 4)
    assert caught.value.retryable


def test_fewer_permits_than_before_are_known_to_the_next_call() -> None:
    app = Tei()
    with serving(app) as client:
        client.embed("tei/", ["a"] * 4)
        app.info["max_concurrent_requests"] = 3
        with pytest.raises(e.RateLimitError):
            client.embed("tei/", ["a"] * 4)
        app.info["max_client_batch_size"] = 3
        app.seen.clear()
        assert len(client.embed("tei/", ["a"] * 4).vectors) == 4
        assert [len(body["input"]) for _, body in app.seen] == [3, 1]  # one after the other, none refused


def test_a_batch_stays_below_the_payload_limit(start: Start) -> None:
    app, client = start(max_input_length=1 << 20, max_client_batch_size=32)
    texts = ["x" * 900_000, "y" * 900_000, "z" * 900_000, "a", "b"]
    assert client.embed("tei/", texts).vectors == expected(texts)
    assert sorted([len(body["input"]) for _, body in app.seen]) == [2, 3]
    with pytest.raises(e.APIStatusError, match="length limit exceeded") as caught:
        client.embed("tei/", "x" * 2_000_001)
    assert caught.value.status == 413


def test_token_ids(start: Start) -> None:
    app, client = start()
    assert client.embed("tei/", [[1, 2, 3], "a"]).vectors == expected([[1, 2, 3], "a"])
    assert client.embed("tei/", [[1, 2, 3]]).vectors == expected([[1, 2, 3]])
    assert app.seen[-1][1]["input"] == [1, 2, 3]  # a flat list of numbers is one input
    client.embed("tei/", [[1, 2, 3]], extra={"normalize": True})
    assert app.seen[-1] == ("/embed", {"inputs": [1, 2, 3], "normalize": True})


@pytest.mark.parametrize(
    "extra", [{"normalize": False}, {"prompt_name": "query"}, {"truncate": True, "truncation_direction": "left"}]
)
def test_what_only_the_servers_own_route_has(extra: dict[str, Any], start: Start) -> None:
    app, client = start()
    answer = client.embed("tei/", ["a", "b"], extra=extra, dimensions=2)
    assert app.seen == [("/embed", {"inputs": ["a", "b"], "dimensions": 2, **extra})]
    text = "query: a" if "prompt_name" in extra else "a"
    scale = 1 if extra.get("normalize", True) else 2
    assert answer.vectors[0] == array("f", [scale * number for number in vector(text)[:2]])
    assert answer.usage.input_tokens is not None  # from a header


def test_the_same_vectors_by_either_route(start: Start) -> None:
    _, client = start()
    assert client.embed("tei/", WORDS).vectors == client.embed("tei/", WORDS, extra={"normalize": True}).vectors


def test_dimensions(start: Start) -> None:
    _, client = start()
    assert [len(each) for each in client.embed("tei/", ["a", "b"], dimensions=3).vectors] == [3, 3]
    for extra in ({}, {"normalize": True}):
        with pytest.raises(e.UnprocessableEntityError, match="smaller than the maximum embedding dimension"):
            client.embed("tei/", "a", dimensions=5, extra=extra)


def test_what_cannot_be_had(start: Start) -> None:
    app, client = start()
    with pytest.raises(e.UnsupportedParameterError, match="cannot honour: user"):
        client.embed("tei/", "a", user="u")
    with pytest.raises(e.UnsupportedParameterError, match="cannot honour: user"):
        client.embed("tei/", "a", user="u", extra={"normalize": True})
    assert app.seen == []


# truncation


def test_truncation_is_silent_unless_it_is_not_wanted(start: Start) -> None:
    _, client = start()
    assert client.embed("tei/", LONG).vectors == expected([LONG[:15]])
    assert client.embed("tei/", LONG, extra={"truncate": True, "truncation_direction": "left"}).vectors == expected(
        [LONG[-15:]]
    )
    with pytest.raises(e.ContextLengthExceededError, match=r"must have less than 8 tokens\. Given: 10") as caught:
        client.embed("tei/", LONG, extra={"truncate": False})
    assert (caught.value.status, caught.value.code, caught.value.retryable) == (422, "validation", False)


def test_an_endpoint_may_refuse_truncation_for_all_calls(start: Start) -> None:
    app, client = start(options={"truncate": False})
    with pytest.raises(e.ContextLengthExceededError):
        client.embed("tei/", LONG)
    assert app.seen == [("/embed", {"inputs": LONG, "truncate": False})]
    app, client = start("reranker", options={"truncate": False})
    with pytest.raises(e.ContextLengthExceededError):
        client.rerank("tei/", "q", [LONG])
    app, client = start("classifier", options={"truncate": False})
    with pytest.raises(e.ContextLengthExceededError):
        client.classify("tei/", LONG)


def test_older_servers_refuse_by_themselves_and_with_another_status(start: Start) -> None:
    _, client = start(old=True, auto_truncate=False)
    with pytest.raises(e.ContextLengthExceededError) as caught:
        client.embed("tei/", LONG)
    assert caught.value.status == 413
    app, client = start(old=True)
    app.info = {**INFO, "model_type": app.info["model_type"], "max_client_batch_size": 4}
    client.embed("tei/", ["a", "b"])
    app.info["max_client_batch_size"] = 1  # not what it said before
    assert client.embed("tei/", ["a", "b"]).vectors == expected(["a", "b"])
    app.info["max_client_batch_size"] = 0  # which no server has, and no splitting helps
    with pytest.raises(e.UnprocessableEntityError, match="batch size 1 > maximum allowed batch size 0") as batch:
        client.embed("tei/", ["a", "b"])
    assert (batch.value.status, batch.value.code) == (413, "validation")


# ranks and labels


def test_ranks(start: Start) -> None:
    app, client = start("reranker")
    answer = client.rerank("tei/", "q", ["bb", "a", "cccc"])
    assert answer.results == (
        RankedDocument(index=2, score=0.04, document="cccc"),
        RankedDocument(index=0, score=0.02, document="bb"),
        RankedDocument(index=1, score=0.01, document="a"),
    )
    assert answer.usage == Usage(input_tokens=3)
    assert app.seen == [("/rerank", {"query": "q", "texts": ["bb", "a", "cccc"]})]
    raw = client.rerank("tei/", "q", ["bb", "a"], top_n=1, extra={"raw_scores": True, "return_text": True})
    assert raw.results == (RankedDocument(index=0, score=2.0, document="bb"),)


def test_ranks_of_many(start: Start) -> None:
    app, client = start("reranker")
    documents = ["x" * (1 + number * 7 % 11) for number in range(11)]
    answer = client.rerank("tei/", "q", documents, top_n=6)
    assert [each.document for each in answer.results] == sorted(documents, key=len, reverse=True)[:6]
    assert [documents[each.index] for each in answer.results] == [each.document for each in answer.results]
    assert len(app.seen) == 3
    same = client.rerank("tei/", "q", ["a"] * 9)
    assert [each.index for each in same.results] == list(range(9))  # the server has equal ones in no order of ours


JOY = (Label(label="joy", score=0.75), Label(label="anger", score=0.25))
PAIR = (Label(label="anger", score=0.75), Label(label="joy", score=0.25))


def test_labels(start: Start) -> None:
    app, client = start("classifier")
    assert client.classify("tei/", "good").results == (JOY,)
    # Two texts are two inputs, although the server would take a list of two strings for a pair.
    assert client.classify("tei/", ["good", "good"]).results == (JOY, JOY)
    assert client.classify("tei/", ("good", "bad")).results == (PAIR,)
    mixed = client.classify("tei/", ["good", ("good", "bad")] * 4)
    assert mixed.results == (JOY, PAIR) * 4
    assert mixed.usage.input_tokens is not None
    assert [body["inputs"] for _, body in app.seen[:3]] == ["good", [["good"], ["good"]], [["good", "bad"]]]
    assert client.classify("tei/", "good", extra={"raw_scores": True}).results[0][0].score == 3.0


# tokens


def test_tokens(start: Start) -> None:
    app, client = start()
    assert client.tokenize("tei/", "a bc").tokens == (1001, 1002)
    assert client.tokenize("tei/", "a bc", add_special=True).tokens == (101, 1001, 1002, 102)
    assert client.detokenize("tei/", [101, 1001, 102]).text == "w1001"
    assert app.seen[-1] == ("/decode", {"ids": [101, 1001, 102]})
    with pytest.raises(e.BadRequestError, match="`inputs` cannot be empty") as caught:
        client.tokenize("tei/", "")
    assert caught.value.code == "empty"


def test_errors_of_the_web_framework_are_plain_text(start: Start) -> None:
    app, client = start()
    for path, call in (
        ("/embed", lambda: client.embed("tei/", "a", extra={"truncate": "yes"})),
        ("/v1/embeddings", lambda: client.embed("tei/", "a", extra={"input": {}})),
    ):
        with pytest.raises(e.UnprocessableEntityError, match="Failed to deserialize the JSON body") as caught:
            call()
        assert (app.seen[-1][0], caught.value.code) == (path, None)


# kinds


WRONG: list[tuple[str, Callable[[Client], Any], str]] = [
    ("reranker", lambda client: client.embed("tei/", "a"), "Model is not an embedding model"),
    (
        "reranker",
        lambda client: client.embed("tei/", "a", extra={"normalize": True}),
        "Model is not an embedding model",
    ),
    ("embedding", lambda client: client.rerank("tei/", "q", ["a"]), "model is not a re-ranker model"),
    ("embedding", lambda client: client.classify("tei/", "a"), "Model is not a classifier model"),
    ("embedding", lambda client: client.call("tei", "embed_sparse", inputs="a"), "with SPLADE pooling"),
    ("splade", lambda client: client.call("tei", "embed_all", inputs="a"), "not available for SPLADE"),
]


@pytest.mark.parametrize(("kind", "call", "message"), WRONG)
def test_the_wrong_kind_of_model(kind: str, call: Callable[[Client], Any], message: str, start: Start) -> None:
    _, client = start(kind)
    with pytest.raises(e.NotSupportedByServerError, match=message) as caught:
        call(client)
    assert (caught.value.status, caught.value.code, caught.value.retryable) == (424, "backend", False)


@pytest.mark.parametrize(
    ("kind", "features"),
    [
        ("embedding", {"embed", "embed_all", "similarity"}),
        ("splade", {"embed_sparse", "similarity"}),
        ("classifier", {"classify"}),
        ("reranker", {"rerank", "classify"}),
    ],
)
def test_what_a_model_can_do_is_what_the_server_says(kind: str, features: set[str], start: Start) -> None:
    app, client = start(kind)
    (model,) = client.list_models("tei")
    assert (model.id, model.context_window, model.raw) == ("thenlper/gte-base", 8, app.info)
    assert {name for name, support in model.features.items() if support.value == "yes"} == features
    assert {support.value for support in model.features.values()} == {"yes", "no"}
    able = client.capabilities("tei/any-name")
    assert able.model == model
    assert able.supports("rerank").value == ("yes" if "rerank" in features else "no")
    assert [match.model.id for match in client.find(operation="embed", endpoints=["tei"])] == (
        [model.id] if "embed" in features else []
    )


def test_failures_of_the_model_itself_may_pass(start: Start, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/predict").respond_with_json(
        {"error": "score is NaN", "error_type": "Backend"}, status=424
    )
    endpoint = EndpointConfig(backend="tei", base_url=httpserver.url_for(""))
    with Client(Config(), endpoints={"x": endpoint}) as client, pytest.raises(e.APIStatusError) as caught:
        client.classify("x/", "a")
    assert (type(caught.value), caught.value.retryable) == (e.APIStatusError, True)


# health, keys, calls


def test_health(start: Start) -> None:
    app, client = start()
    health = client.healthcheck("tei")
    assert (health.status, health.server, health.detail) == ("ok", "TEI 1.9.3", "thenlper/gte-base, embedding")
    app.healthy = False
    health = client.healthcheck("tei")
    assert (health.status, "what runs its model does not" in str(health.detail)) == ("unhealthy", True)


def test_another_server_is_told_apart(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/info").respond_with_json({"router": "text-generation-router", "max_total_tokens": 5})
    endpoint = EndpointConfig(backend="tei", base_url=httpserver.url_for(""))
    with Client(Config(), endpoints={"x": endpoint}) as client:
        with pytest.raises(e.InvalidResponseError, match="TGI, which the backend tgi speaks to"):
            client.list_models("x")
        with pytest.raises(e.InvalidResponseError, match="'max_client_batch_size' is missing"):
            client.embed("x/", ["a", "b"])


def test_a_server_with_a_key(start: Start, httpserver: HTTPServer) -> None:
    _, client = start(key="tei-secret-1")
    assert client.embed("tei/", WORDS).vectors == expected(WORDS)
    assert client.healthcheck("tei").ok
    httpserver.expect_request(re.compile("/.*")).respond_with_handler(Tei(key="tei-secret-1"))
    with Client(Config(environ={"TEI_BASE_URL": httpserver.url_for("")})) as without:
        with pytest.raises(e.AuthenticationError, match="401 and no body"):
            without.embed("tei/", "a")
        assert without.healthcheck("tei").status == "misconfigured"


def test_calls_of_its_own(start: Start) -> None:
    app, client = start()
    assert client.call("tei", "embed_all", inputs=["a b", "c"]) == (expected(["a", "b"]), expected(["c"]))
    assert len(client.call("tei", "embed_all", inputs=WORDS, truncate=True)) == 11
    assert client.call("tei", "similarity", source="a", sentences=["b", "cc", "ddd", "eeee"]) == (
        1 / 64,
        2 / 64,
        3 / 64,
        4 / 64,
    )
    # The server counts the source too, so only three go at once.
    assert [len(body["inputs"]["sentences"]) for path, body in app.seen if path == "/similarity"] in ([3, 1], [1, 3])
    client.call("tei", "similarity", source="a", sentences=["b"], prompt_name="query")
    assert app.seen[-1][1]["parameters"] == {"prompt_name": "query"}
    assert client.call("tei", "info") == app.info
    assert client.call("tei", "metrics") == "te_request_count 1\n"
    assert client.call("tei", "invocations", body={"inputs": "a"}) == [vector("a")]
    assert client.call("tei", "vertex", instances=[{"inputs": "a"}]) == {"predictions": [[vector("a")]]}
    for wrong in ({"inputs": []}, {"inputs": [1, 2]}):
        with pytest.raises(e.InvalidRequestError, match="inputs"):
            client.call("tei", "embed_all", **wrong)
    with pytest.raises(e.InvalidRequestError, match="sentences: expected a list"):
        client.call("tei", "similarity", source="a", sentences="b")


def test_sparse_vectors(start: Start) -> None:
    app, client = start("splade")
    for extra in ({}, {"truncate": True}):
        with pytest.raises(e.NotSupportedByServerError, match="not available for SPLADE") as caught:
            client.embed("tei/", "a", extra=extra)
        assert "embed_sparse" in (caught.value.hint or "")
    assert list(client.embed("tei/", "a", extra={"normalize": False}).vectors[0]) == [2 * each for each in vector("a")]
    assert [path for path, _ in app.seen] == ["/v1/embeddings", "/embed", "/embed"]
    a = SparseVector(indices=array("I", [1, 2]), values=array("f", [0.5, 0.5]))
    assert client.call("tei", "embed_sparse", inputs=["a bb"] * 5) == (a,) * 5


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["embedding", "reranker", "classifier"])
async def test_the_same_awaited(kind: str) -> None:
    app = Tei(kind)
    with HTTPServer(threaded=True) as server:
        server.expect_request(re.compile("/.*")).respond_with_handler(app)
        async with AsyncClient(Config(), endpoints={"tei": EndpointConfig(base_url=server.url_for(""))}) as client:
            if kind == "embedding":
                assert (await client.embed("tei/", WORDS)).vectors == expected(WORDS)
                assert len(await client.call("tei", "embed_all", inputs=WORDS)) == 11
            elif kind == "reranker":
                assert len((await client.rerank("tei/", "q", WORDS)).results) == 11
            else:
                assert len((await client.classify("tei/", WORDS)).results) == 11
            assert (await client.healthcheck("tei")).ok
