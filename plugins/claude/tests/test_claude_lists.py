"""Batches, their results, and lists that come page by page: states, ends, and what does not have the form it should."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ipfs_accel import AsyncClient, Client, EndpointConfig
from ipfs_accel import errors as e
from pytest_httpserver import HTTPServer

ANSWER: dict[str, Any] = {"content": [{"type": "text", "text": "ho"}], "stop_reason": "end_turn"}


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    with Client(endpoints={"claude": EndpointConfig(base_url=httpserver.url_for("/"), key="sk-test-0123")}) as client:
        yield client


BATCH: dict[str, Any] = {"id": "b1", "processing_status": "ended", "request_counts": {"succeeded": 2}}
PATH = "/v1/messages/batches/b1"


def result(name: str, **fields: Any) -> str:
    return json.dumps({"custom_id": name, "result": {"type": "succeeded", "message": ANSWER, **fields}}) + "\n"


@pytest.mark.parametrize(
    ("fields", "status", "is_over"),
    [
        ({"processing_status": "in_progress"}, "in_progress", False),
        ({"processing_status": "canceling"}, "cancelling", False),
        ({"processing_status": "brand_new"}, "in_progress", False),
        ({}, "completed", True),
        ({"cancel_initiated_at": "2026-11-01T00:00:00Z"}, "cancelled", True),
        ({"request_counts": {"succeeded": 0, "expired": 2}}, "expired", True),
        ({"request_counts": {"succeeded": 1, "expired": 1}}, "completed", True),
        ({"request_counts": None}, "completed", True),
    ],
)
def test_states_of_a_batch(
    fields: dict[str, Any],
    status: str,
    is_over: bool,
    client: Client,
    httpserver: HTTPServer,
) -> None:
    httpserver.expect_request(PATH).respond_with_json({**BATCH, **fields})
    found = client.get_batch("claude", "b1")
    assert (found.status, found.is_over) == (status, is_over)
    if not is_over:
        with pytest.raises(e.ConflictError, match="its results come when it is over"):
            client.batch_results("claude", "b1").read()
        assert [request.path for request, _ in httpserver.log] == [PATH, PATH]


def test_what_a_batch_has_left_is_no_failure(client: Client, httpserver: HTTPServer) -> None:
    counts = {"processing": 5, "succeeded": 2, "errored": 1, "canceled": 0, "expired": 0}
    times = {"created_at": "2026-11-01T00:00:00Z", "expires_at": "2026-11-02T00:00:00Z"}
    body = {**BATCH, **times, "processing_status": "in_progress", "request_counts": counts}
    httpserver.expect_oneshot_request(PATH).respond_with_json(body)
    found = client.get_batch("claude", "b1")
    assert (found.total, found.succeeded, found.failed) == (8, 2, 1)
    assert found.expires == (found.created or 0) + 24 * 3600
    httpserver.expect_oneshot_request(PATH).respond_with_json({**body, "processing_status": "ended"})
    # The results are kept for longer, and the API does not say until when.
    assert client.get_batch("claude", "b1").expires is None


@pytest.mark.parametrize(
    ("lines", "error", "message"),
    [
        ([result("a")], e.StreamIncomplete, "the results ended after 1 of 2"),
        ([result("a"), result("b")[:-9]], e.StreamIncomplete, "the results ended after 1 of 2"),
        ([], e.StreamIncomplete, "the results ended after 0 of 2"),
        (["{\n"], e.InvalidResponseError, "JSONDecodeError"),
        (['{"custom_id": "a"}\n'], e.InvalidResponseError, "'result' is missing"),
        (['{"custom_id": 5, "result": {"type": "expired"}}\n'], e.InvalidResponseError, "'custom_id' is int"),
        ([result("a", message=None)], e.InvalidResponseError, "'message' is missing"),
    ],
)
def test_results_that_are_cut_or_wrong(
    lines: list[str], error: type[e.APIError], message: str, client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(PATH).respond_with_json(BATCH)
    httpserver.expect_request(f"{PATH}/results").respond_with_data("".join(lines), content_type="application/jsonl")
    with pytest.raises(error, match=message):
        client.batch_results("claude", "b1").read()


def test_a_long_result_is_read(client: Client, httpserver: HTTPServer) -> None:
    long = {**ANSWER, "content": [{"type": "text", "text": "x" * 5_000_000}]}
    httpserver.expect_request(PATH).respond_with_json({**BATCH, "request_counts": {"succeeded": 1}})
    httpserver.expect_request(f"{PATH}/results").respond_with_data(result("a", message=long))
    with client.batch_results("claude", "b1") as stream:
        (found,) = stream
    assert len(found.response.text) == 5_000_000  # type: ignore[union-attr]
    assert stream.response.succeeded == 1


@pytest.mark.parametrize(("path", "call"), [("/v1/files", "list_files"), ("/v1/messages/batches", "list_batches")])
@pytest.mark.parametrize(("limit", "pages"), [(1, 1), (2, 1), (3, 2), (None, 2)])
def test_lists_end_at_their_limit(
    path: str, call: str, limit: int | None, pages: int, client: Client, httpserver: HTTPServer
) -> None:
    size = str(limit or 1000)
    page = {"data": [{**BATCH, "id": "a"}, {**BATCH, "id": "b"}], "has_more": True, "last_id": "b"}
    last = {"data": [{**BATCH, "id": "c"}], "has_more": False, "last_id": "c"}
    httpserver.expect_request(path, query_string={"limit": size}).respond_with_json(page)
    httpserver.expect_request(path, query_string={"limit": size, "after_id": "b"}).respond_with_json(last)
    assert [each.id for each in getattr(client, call)("claude", limit=limit)] == ["a", "b", "c"][:limit]
    assert len(httpserver.log) == pages


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"data": [], "has_more": True}, "'last_id' is missing"),
        ({"data": [], "has_more": True, "last_id": 5}, "'last_id' is int"),
        ({"data": [], "next_page": 5}, "'next_page' is int"),
        ({"data": [], "has_more": True, "last_id": "a"}, "its next page is the same again"),
        ({"data": None}, "'data' is missing"),
        ({"data": [{}]}, "'id' is missing"),
        ({"data": ["a"]}, "'id' is missing"),
        ([], "'data' is missing"),
    ],
)
def test_a_list_of_another_form(body: Any, message: str, client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/models").respond_with_json(body)
    with pytest.raises(e.InvalidResponseError, match=message):
        client.list_models("claude")


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_batches_in_the_other_world(anyio_backend: str, httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_json(BATCH)
    httpserver.expect_request(f"{PATH}/results").respond_with_data(result("a") + result("b").rstrip("\n"))
    endpoint = EndpointConfig(base_url=httpserver.url_for("/"), key="sk-test-0123")
    async with AsyncClient(endpoints={"claude": endpoint}) as client:
        async with client.batch_results("claude", "b1") as stream:
            found = [event.id async for event in stream]
        with pytest.raises(e.InvalidRequestError):
            await client.get_batch("claude", "..")
    assert (found, stream.response.succeeded) == (["a", "b"], 2)
