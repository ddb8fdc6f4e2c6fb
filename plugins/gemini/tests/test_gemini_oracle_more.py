"""What is no chat, held to Google's own SDK: vectors, counts, models, files, batches, caches, and Vertex AI."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from ipfs_accel import Client, Image, Message, Tool
from ipfs_accel.types import BatchItem, EmbedRequest
from pytest_httpserver import HTTPServer

Both = Callable[..., Any]
NEW = "gemini-3.1-pro-preview"
PNG = b"\x89PNG\r\n\x1a\n\xfb\xff0"
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"function_declarations": [{"name": "get_weather", "description": "d", "parameters_json_schema": WEATHER}]}]
TOOL = Tool(name="get_weather", description="d", parameters=WEATHER)
VECTORS = {"embeddings": [{"values": [0.25, -0.5]}, {"values": [1, 0]}], "usageMetadata": {"promptTokenCount": 4}}
HI = [{"role": "user", "parts": [{"text": "hi"}]}]
# The SDK says that the body, which is not there, is JSON.
NO_BODY = ("Content-Type",)

EMBEDDINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"output_dimensionality": 2}, {"dimensions": 2}),
    ({"task_type": "RETRIEVAL_DOCUMENT", "title": "t"}, {"extra": {"taskType": "RETRIEVAL_DOCUMENT", "title": "t"}}),
]


@pytest.mark.parametrize(("settings", "options"), EMBEDDINGS)
def test_vectors(settings: dict[str, Any], options: dict[str, Any], both: Both, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1beta/models/gemini-embedding-2:batchEmbedContents").respond_with_json(VECTORS)
    # The SDK takes neighbouring texts for one content unless they come as contents.
    contents = [{"role": "user", "parts": [{"text": each}]} for each in "ab"]
    expected, actual = both(
        lambda sdk: sdk.models.embed_content(model="gemini-embedding-2", contents=contents, config=settings),
        lambda client: client.embed("gemini/gemini-embedding-2", ["a", "b"], **options),
    )
    assert [list(each) for each in actual.vectors] == [each.values for each in expected.embeddings]
    assert actual.usage.input_tokens == 4


def test_a_vector_of_pictures_and_words(both: Both, httpserver: HTTPServer) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_json({"embeddings": [{"values": [1]}]})
    parts = [{"text": "a"}, {"inline_data": {"mime_type": "image/png", "data": PNG}}]
    expected, actual = both(
        lambda sdk: sdk.models.embed_content(model="gemini-embedding-2", contents=[{"role": "user", "parts": parts}]),
        lambda client: client.call(
            "gemini", "embed_parts", model="gemini-embedding-2", inputs=[["a", Image(data=PNG)]]
        ),
    )
    assert [list(each) for each in actual.vectors] == [each.values for each in expected.embeddings]


def test_tokens_are_counted(both: Both, httpserver: HTTPServer) -> None:
    httpserver.expect_request(f"/v1beta/models/{NEW}:countTokens").respond_with_json({"totalTokens": 31})
    expected, actual = both(
        lambda sdk: sdk.models.count_tokens(model=NEW, contents="hi"),
        lambda client: client.count_tokens(f"gemini/{NEW}", "hi"),
    )
    assert actual.input_tokens == expected.total_tokens == 31
    assert actual.exact


def model(name: str) -> dict[str, Any]:
    return {
        "name": f"models/{name}", "displayName": name.upper(), "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens"], "thinking": True,
    }  # fmt: skip


def test_models_come_page_by_page(both: Both, httpserver: HTTPServer) -> None:
    pages = {"": ([model("a")], "2"), "2": ([], "3"), "3": ([model("b")], None)}
    for token, (items, following) in pages.items():
        query = {"pageSize": "1000", **({"pageToken": token} if token else {})}
        body = {**({"models": items} if items else {}), **({"nextPageToken": following} if following else {})}
        httpserver.expect_request("/v1beta/models", query_string=query).respond_with_json(body)

    def theirs(sdk: Any) -> list[Any]:
        found, token = [], None
        while True:  # the SDK's own iteration ends at an empty page
            config = {"page_size": 1000, "page_token": token} if token else {"page_size": 1000}
            page = sdk.models.list(config=config)
            found += page.page
            token = page._config.get("page_token")
            if not token:
                return found

    expected, actual = both(theirs, lambda client: client.list_models("gemini"), NO_BODY)
    assert [each.id for each in actual] == [each.name.removeprefix("models/") for each in expected] == ["a", "b"]


def test_one_model(both: Both, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1beta/models/a").respond_with_json(model("a"))
    expected, actual = both(
        lambda sdk: sdk.models.get(model="a"), lambda client: client.show_model("gemini/a"), NO_BODY
    )
    assert (actual.description, actual.context_window) == (expected.display_name, expected.input_token_limit)
    assert actual.max_output_tokens == expected.output_token_limit
    assert [actual.features[name].value for name in ("chat", "embed", "reasoning")] == ["yes", "no", "yes"]


FILE = {
    "name": "files/abc", "displayName": "a.txt", "mimeType": "text/plain", "sizeBytes": "5", "createTime": "2026-11-01T00:00:00Z",
    "expirationTime": "2026-11-03T00:00:00.25Z", "uri": "https://generativelanguage.googleapis.com/v1beta/files/abc", "state": "PROCESSING",
}  # fmt: skip


def test_a_file_is_sent_as_the_sdk_sends_it(
    both: Both, canonical: Callable[[Any], Any], httpserver: HTTPServer
) -> None:
    where = httpserver.url_for("/upload/v1beta/files?upload_id=u%2F1&upload_protocol=resumable")
    httpserver.expect_request("/upload/v1beta/files", query_string="").respond_with_json(
        {}, headers={"x-goog-upload-url": where}
    )
    httpserver.expect_request(
        "/upload/v1beta/files", query_string="upload_id=u%2F1&upload_protocol=resumable"
    ).respond_with_json({"file": FILE}, headers={"x-goog-upload-status": "final"})
    config = {"mime_type": "text/plain", "display_name": "a.txt", "name": "abc"}
    # The SDK sends the bytes without the key; what is sent to the same host by us has it. It calls them JSON, too.
    expected, actual = both(
        lambda sdk: sdk.files.upload(file=io.BytesIO(b"hello"), config=config),
        lambda client: client.upload_file("gemini", b"hello", name="a.txt", extra={"name": "abc"}),
        ("body", "X-Goog-Api-Key", "Content-Type"),
    )
    starts = [request for request, _ in httpserver.log[::2]]
    names = [
        f"X-Goog-Upload-{name}" for name in ("Protocol", "Command", "Header-Content-Length", "Header-Content-Type")
    ]
    assert [starts[1].headers[name] for name in names] == [starts[0].headers[name] for name in names]
    bodies = [json.loads(each.get_data())["file"] for each in starts]
    assert bodies[1] == canonical(bodies[0])
    contents = [request for request, _ in httpserver.log[1::2]]
    for name in ("X-Goog-Upload-Command", "X-Goog-Upload-Offset", "Content-Length"):
        assert contents[1].headers[name] == contents[0].headers[name]
    assert contents[0].get_data() == contents[1].get_data() == b"hello"
    assert (actual.id, actual.name, actual.size) == (expected.name, expected.display_name, expected.size_bytes)
    assert (actual.url, actual.status, actual.media_type) == (expected.uri, expected.state.value, expected.mime_type)
    assert (actual.created, actual.expires) == (expected.create_time.timestamp(), expected.expiration_time.timestamp())


def test_files_are_told_of_listed_read_and_deleted(both: Both, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1beta/files", query_string={"pageSize": "100"}).respond_with_json(
        {"files": [FILE], "nextPageToken": "2"}
    )
    httpserver.expect_request("/v1beta/files", query_string={"pageSize": "100", "pageToken": "2"}).respond_with_json(
        {"files": [{**FILE, "name": "files/b"}]}
    )
    httpserver.expect_request("/v1beta/files/abc", method="GET").respond_with_json(FILE)
    httpserver.expect_request("/v1beta/files/abc:download", query_string="alt=media").respond_with_data(
        b"hello", content_type="text/plain"
    )
    httpserver.expect_request("/v1beta/files/abc", method="DELETE").respond_with_json({})

    def theirs(sdk: Any) -> list[Any]:
        calls = sdk.files
        return [list(calls.list(config={"page_size": 100})), calls.get(name="files/abc"), calls.download(file="files/abc"), calls.delete(name="files/abc")]  # fmt: skip

    def ours(client: Client) -> list[Any]:
        name = ("gemini", "files/abc")

        def content() -> bytes:
            with client.stream_file(*name) as stream:
                return b"".join([event.data for event in stream])

        return [client.list_files("gemini"), client.get_file(*name), content(), client.delete_file(*name)]

    expected, actual = both(theirs, ours, NO_BODY)
    assert [each.id for each in actual[0]] == [each.name for each in expected[0]] == ["files/abc", "files/b"]
    assert actual[1].name == expected[1].display_name
    assert actual[2] == expected[2] == b"hello"
    assert actual[3] is None


ANSWER = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "ho"}]}, "finishReason": "STOP"}],
    "responseId": "r1",
    "modelVersion": NEW,
}


def batch(state: str, output: Any = None, **stats: str) -> dict[str, Any]:
    about = {"@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch", "model": f"models/{NEW}", "displayName": "ipfs-accel",
             "createTime": "2026-11-01T00:00:00Z", "endTime": "2026-11-01T01:00:00Z", "state": f"BATCH_STATE_{state}", "batchStats": {"requestCount": "2", **stats}}  # fmt: skip
    return {"name": "batches/b1", "metadata": {**about, **({"output": output} if output else {})}}


def test_a_batch_of_chats(both: Both, httpserver: HTTPServer) -> None:
    httpserver.expect_request(f"/v1beta/models/{NEW}:batchGenerateContent").respond_with_json(batch("PENDING"))
    requests = [
        {"contents": HI, "metadata": {"key": "a"}, "config": {"max_output_tokens": 5}},
        {"contents": HI, "metadata": {"key": "b"}, "config": {"max_output_tokens": 5, "system_instruction": {"role": "user", "parts": [{"text": "s"}]}}},
    ]  # fmt: skip
    for each in requests:
        each["model"] = NEW
    expected, actual = both(
        lambda sdk: sdk.batches.create(model=NEW, src=requests, config={"display_name": "ipfs-accel"}),
        lambda client: client.create_batch(
            f"gemini/{NEW}", {"a": "hi", "b": [Message.system("s"), "hi"]}, max_tokens=5
        ),
    )
    assert (actual.id, actual.status, actual.total) == (expected.name, "validating", 2)
    assert expected.state.value == "JOB_STATE_PENDING"
    assert actual.created == expected.create_time.timestamp()


@pytest.mark.filterwarnings("ignore:batches.create_embeddings")  # the SDK's own
def test_a_batch_of_texts_to_embed(both: Both, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1beta/models/gemini-embedding-2:asyncBatchEmbedContent").respond_with_json(
        batch("PENDING")
    )
    source = {"inlined_requests": {"contents": [*HI, *HI], "config": {"output_dimensionality": 2}}}
    items = [BatchItem(id=name, request=EmbedRequest(inputs=("hi",), dimensions=2)) for name in "ab"]
    expected, actual = both(
        lambda sdk: sdk.batches.create_embeddings(
            model="gemini-embedding-2", src=source, config={"display_name": "ipfs-accel"}
        ),
        lambda client: client.create_batch("gemini/gemini-embedding-2", items),
        ("body",),
    )
    # The SDK cannot name the single requests.
    theirs, ours = [json.loads(request.get_data())["batch"] for request, _ in httpserver.log]
    found = ours["inputConfig"]["requests"].pop("requests")
    assert [each.pop("metadata") for each in found] == [{"key": "a"}, {"key": "b"}]
    assert found == theirs["inputConfig"]["requests"].pop("requests")
    assert ours == theirs
    assert actual.id == expected.name


def test_batches_are_told_of_listed_cancelled_and_deleted(both: Both, httpserver: HTTPServer) -> None:
    done = batch("SUCCEEDED", successfulRequestCount="1", failedRequestCount="1")
    httpserver.expect_request("/v1beta/batches/b1", method="GET").respond_with_json(done)
    httpserver.expect_request("/v1beta/batches/b1:cancel", method="POST").respond_with_json({})
    httpserver.expect_request("/v1beta/batches/b1", method="DELETE").respond_with_json({})
    httpserver.expect_request("/v1beta/batches", query_string="pageSize=2").respond_with_json(
        {"operations": [done, done]}
    )

    def theirs(sdk: Any) -> list[Any]:
        calls, name = sdk.batches, "batches/b1"
        found = [calls.get(name=name), calls.cancel(name=name)]
        return [*found, calls.get(name=name), list(calls.list(config={"page_size": 2})), calls.delete(name=name)]

    def ours(client: Client) -> list[Any]:
        name = ("gemini", "batches/b1")
        found = [client.get_batch(*name), None, client.cancel_batch(*name)]  # which looks at the batch afterwards
        return [*found, client.list_batches("gemini", limit=2), client.delete_batch(*name)]

    expected, actual = both(theirs, ours, NO_BODY)
    assert (actual[0].status, actual[0].ended) == ("completed", expected[0].end_time.timestamp())
    assert (actual[0].total, actual[0].succeeded, actual[0].failed, actual[0].is_over) == (2, 1, 1, True)
    assert [each.id for each in actual[3]] == [each.name for each in expected[3]]


def test_results_of_a_batch_are_read_as_the_sdk_reads_them(both: Both, httpserver: HTTPServer) -> None:
    results = [
        {"response": ANSWER, "metadata": {"key": "a"}},
        {"error": {"code": 3, "message": "no"}, "metadata": {"key": "b"}},
    ]
    output = {"inlinedResponses": {"inlinedResponses": results}}
    httpserver.expect_request("/v1beta/batches/b1").respond_with_json(batch("SUCCEEDED", output))

    def ours(client: Client) -> Any:
        with client.batch_results("gemini", "batches/b1") as stream:
            return [*stream, stream.response]

    expected, (first, second, summary) = both(
        lambda sdk: sdk.batches.get(name="batches/b1").dest.inlined_responses, ours, NO_BODY
    )
    assert [first.id, second.id] == [each.metadata["key"] for each in expected]
    assert first.response.text == expected[0].response.candidates[0].content.parts[0].text
    assert second.error.message == expected[1].error.message
    assert (summary.succeeded, summary.failed) == (1, 1)


CACHE = {"name": "cachedContents/1", "model": f"models/{NEW}", "displayName": "d", "createTime": "2026-11-01T00:00:00Z", "expireTime": "2026-11-01T01:00:00Z", "usageMetadata": {"totalTokenCount": 5000}}  # fmt: skip


def test_cached_contents(both: Both, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1beta/cachedContents", method="POST").respond_with_json(CACHE)
    httpserver.expect_request("/v1beta/cachedContents", query_string="pageSize=100").respond_with_json(
        {"cachedContents": [CACHE]}
    )
    for method in ("GET", "PATCH", "DELETE"):
        httpserver.expect_request("/v1beta/cachedContents/1", method=method).respond_with_json(
            {} if method == "DELETE" else CACHE
        )

    def theirs(sdk: Any) -> list[Any]:
        calls = sdk.caches
        settings = {
            "contents": HI,
            "system_instruction": {"role": "user", "parts": [{"text": "s"}]},
            "tools": TOOLS,
            "ttl": "3600s",
            "display_name": "d",
        }
        made = calls.create(model=NEW, config=settings)
        return [made, list(calls.list(config={"page_size": 100})), calls.get(name=made.name), calls.update(name=made.name, config={"ttl": "60s"}), calls.delete(name=made.name)]  # fmt: skip

    def ours(client: Client) -> list[Any]:
        def call(what: str, **arguments: Any) -> Any:
            return client.call("gemini", what, **arguments)

        messages = [Message.system("s"), Message.user("hi")]
        made = call("create_cache", model=NEW, messages=messages, tools=[TOOL], ttl=3600, display_name="d")
        return [made, call("list_caches"), call("get_cache", cache=made.name), call("update_cache", cache="1", ttl=60), call("delete_cache", cache=made.name)]  # fmt: skip

    expected, actual = both(theirs, ours, NO_BODY)
    for left, right in zip(expected[:1] + expected[2:4], actual[:1] + actual[2:4], strict=True):
        assert (right.name, right.model, right.display_name) == (left.name, left.model, left.display_name)
        assert (right.created, right.expires) == (left.create_time.timestamp(), left.expire_time.timestamp())
        assert right.tokens == left.usage_metadata.total_token_count
    assert [each.name for each in actual[1]] == [each.name for each in expected[1]]
    assert actual[4] is None


IMAGE_ANSWER = {**ANSWER, "candidates": [{"content": {"parts": [{"text": "see"}, {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(PNG).decode()}}]}, "finishReason": "STOP"}]}  # fmt: skip
PICTURES = {"response_modalities": ["TEXT", "IMAGE"]}
MODEL = "gemini-3.1-flash-image"


def test_pictures_are_made_and_changed(both: Both, httpserver: HTTPServer) -> None:
    httpserver.expect_request(f"/v1beta/models/{MODEL}:generateContent").respond_with_json(IMAGE_ANSWER)
    before = {"inline_data": {"mime_type": "image/png", "data": PNG}}

    def theirs(sdk: Any) -> list[Any]:
        call = sdk.models.generate_content
        shaped = {**PICTURES, "image_config": {"aspect_ratio": "16:9", "image_size": "2K"}, "seed": 7}
        return [call(model=MODEL, contents="a cat", config=PICTURES), call(model=MODEL, contents="a cat", config=shaped),
                call(model=MODEL, contents=[{"role": "user", "parts": [before, {"text": "a hat"}]}], config=PICTURES)]  # fmt: skip

    def ours(client: Client) -> list[Any]:
        name = f"gemini/{MODEL}"
        return [client.generate_image(name, "a cat"), client.generate_image(name, "a cat", size="16:9 2K", seed=7), client.edit_image(name, PNG, "a hat")]  # fmt: skip

    expected, actual = both(theirs, ours)
    for left, right in zip(expected, actual, strict=True):
        assert [(each.data, each.media_type) for each in right.images] == [
            (each.inline_data.data, each.inline_data.mime_type) for each in left.parts if each.inline_data
        ]
        assert right.text == left.text == "see"


VERTEX = "/v1beta1/projects/p-1/locations/europe-west4"
GOOGLE = f"{VERTEX}/publishers/google/models"


def test_vertex_chats_and_counts(both: Both, httpserver: HTTPServer) -> None:
    httpserver.expect_request(f"{GOOGLE}/{NEW}:generateContent").respond_with_json(ANSWER)
    httpserver.expect_request(f"{GOOGLE}/{NEW}:streamGenerateContent").respond_with_data(
        f"data: {json.dumps(ANSWER)}\n\n", content_type="text/event-stream"
    )
    httpserver.expect_request(f"{GOOGLE}/{NEW}:countTokens").respond_with_json({"totalTokens": 31})
    system = {"role": "user", "parts": [{"text": "s"}]}

    def theirs(sdk: Any) -> list[Any]:
        call = sdk.models
        labelled = {"system_instruction": system, "labels": {"a": "b"}}
        return [call.generate_content(model=NEW, contents="hi", config=labelled), list(call.generate_content_stream(model=NEW, contents="hi"))[-1],
                call.count_tokens(model=NEW, contents="hi", config={"system_instruction": system, "tools": TOOLS})]  # fmt: skip

    def ours(client: Client) -> list[Any]:
        name, messages = f"gemini/{NEW}", [Message.system("s"), "hi"]
        return [client.chat(name, messages, extra={"labels": {"a": "b"}}), client.stream(name, "hi").read(), client.count_tokens(name, messages, tools=[TOOL])]  # fmt: skip

    expected, actual = both(theirs, ours, vertex=True)
    assert [each.text for each in actual[:2]] == [each.text for each in expected[:2]]
    assert actual[2].input_tokens == expected[2].total_tokens


def test_vertex_vectors(both: Both, httpserver: HTTPServer) -> None:
    one = {"embedding": {"values": [1, 2]}, "usageMetadata": {"promptTokenCount": 2}}
    old = {"predictions": [{"embeddings": {"values": [3, 4], "statistics": {"token_count": 2.0}}}]}
    httpserver.expect_request(f"{GOOGLE}/gemini-embedding-2:embedContent").respond_with_json(one)
    httpserver.expect_request(f"{GOOGLE}/text-embedding-005:predict").respond_with_json(old)
    settings = {"task_type": "RETRIEVAL_QUERY", "title": "t", "output_dimensionality": 2, "auto_truncate": True}
    extra = {"taskType": "RETRIEVAL_QUERY", "title": "t", "autoTruncate": True}
    names = ("gemini-embedding-2", "text-embedding-005")
    expected, actual = both(
        lambda sdk: [sdk.models.embed_content(model=name, contents="a", config=settings) for name in names],
        lambda client: [client.embed(f"gemini/{name}", "a", dimensions=2, extra=extra) for name in names],
        vertex=True,
    )
    assert [list(each.vectors[0]) for each in actual] == [each.embeddings[0].values for each in expected]
    assert [each.usage.input_tokens for each in actual] == [2, 2]


@pytest.mark.filterwarnings("ignore:The generate_")  # the SDK's own
def test_vertex_models_caches_imagen_and_veo(both: Both, httpserver: HTTPServer) -> None:
    name = f"{VERTEX[len('/v1beta1/') :]}/cachedContents/1"
    httpserver.expect_request(f"/v1beta1/publishers/google/models/{NEW}").respond_with_json(
        {"name": f"publishers/google/models/{NEW}"}
    )
    httpserver.expect_request(f"{VERTEX}/cachedContents").respond_with_json({**CACHE, "name": name})
    httpserver.expect_request(f"/v1beta1/{name}").respond_with_json({**CACHE, "name": name})
    made = {"predictions": [{"bytesBase64Encoded": base64.b64encode(PNG).decode(), "mimeType": "image/png"}]}
    httpserver.expect_request(f"{GOOGLE}/imagen-4:predict").respond_with_json(made)
    work = f"{GOOGLE[len('/v1beta1/') :]}/veo-4/operations/1"
    httpserver.expect_request(f"{GOOGLE}/veo-4:predictLongRunning").respond_with_json({"name": work})
    httpserver.expect_request(f"{GOOGLE}/veo-4:fetchPredictOperation").respond_with_json(
        {"name": work, "done": True, "response": {}}
    )

    def theirs(sdk: Any) -> list[Any]:
        cache = sdk.caches.create(model=NEW, config={"contents": HI, "ttl": "60s"})
        pictures = sdk.models.generate_images(
            model="imagen-4",
            prompt="a cat",
            config={
                "number_of_images": 1,
                "aspect_ratio": "16:9",
                "negative_prompt": "n",
                "seed": 7,
                "output_mime_type": "image/png",
            },
        )
        video = sdk.models.generate_videos(model="veo-4", prompt="a cat", config={"aspect_ratio": "16:9"})
        return [
            sdk.models.get(model=NEW),
            cache,
            sdk.caches.get(name=cache.name),
            pictures,
            video,
            sdk.operations.get(video),
        ]

    def ours(client: Client) -> list[Any]:
        cache = client.call("gemini", "create_cache", model=NEW, messages=[Message.user("hi")], ttl=60)
        options: dict[str, Any] = {"n": 1, "size": "16:9", "negative_prompt": "n", "seed": 7, "output_format": "png"}
        pictures = client.generate_image("gemini/imagen-4", "a cat", **options)
        wide = {"aspectRatio": "16:9"}
        video = client.call("gemini", "generate_video", model="veo-4", prompt="a cat", parameters=wide)
        shown, found = client.show_model(f"gemini/{NEW}"), client.call("gemini", "get_cache", cache=cache.name)
        return [shown, cache, found, pictures, video, client.call("gemini", "get_operation", operation=video.name)]

    expected, actual = both(theirs, ours, NO_BODY, vertex=True)
    assert actual[0].id == NEW
    assert [each.name for each in actual[1:3]] == [each.name for each in expected[1:3]]
    assert actual[3].images[0].data == expected[3].generated_images[0].image.image_bytes
    assert (actual[4].name, actual[4].done, actual[5].done) == (expected[4].name, False, True)
