"""Uploads, downloads, and the requests for pictures, sound and batches; in both worlds where they wait for a disk."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, BackendInfo, Client, Config, EndpointConfig, Image, Message, Tool, hookimpl
from ipfs_accel import errors as e
from ipfs_accel._convert import media as convert
from ipfs_accel.plans import Endpoint, Http, HttpRequest, HttpResponse, HttpStream, Local, Plan, StreamPlan
from ipfs_accel.types import (
    Audio,
    BatchItem,
    ChatRequest,
    FileInfo,
    Progress,
    SpeakRequest,
    SpeakResponse,
    Text,
    Transfer,
    Upload,
    UploadRequest,
)
from ipfs_accel.wire.collector import Collector, download, speech
from ipfs_accel.wire.multipart import FileBody, Multipart, post_multipart
from ipfs_accel.wire.ndjson import NDJSONDecoder
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response
from werkzeug.formparser import FormDataParser

PNG = b"\x89PNG\r\n\x1a\n0"
BIG = bytes(range(256)) * 4096


def pulled(line: str, out: Collector[int]) -> None:
    out.emit(Progress(status=line))
    out.size += 1
    if line == "done":
        out.done()


class Store:
    """A backend that keeps files."""

    api_version = 1

    def __init__(self, url: str) -> None:
        self.url = url

    @hookimpl
    def describe(self) -> BackendInfo:
        return BackendInfo(name="store", base_url=self.url)

    @hookimpl
    def upload_file(self, endpoint: Endpoint, request: UploadRequest) -> Plan[FileInfo]:
        def read(response: HttpResponse) -> FileInfo:
            return FileInfo(id=response.text())

        return Http(
            send=post_multipart("/files", [("purpose", request.purpose or "")], [("file", request.file)]), parse=read
        )

    @hookimpl
    def download_file(self, endpoint: Endpoint, file: str) -> StreamPlan[Transfer]:
        return download(HttpRequest(method="GET", path=f"/files/{file}"))

    @hookimpl
    def stream_speak(self, endpoint: Endpoint, request: SpeakRequest) -> StreamPlan[SpeakResponse]:
        return speech(HttpRequest(method="GET", path="/speech"), "audio/wav")

    @hookimpl
    def calls(self) -> dict[str, Any]:
        def pull(_endpoint: Endpoint, model: str) -> StreamPlan[int]:
            return HttpStream(
                send=HttpRequest(method="GET", path=f"/pull/{model}"),
                frames=NDJSONDecoder,
                decoder=lambda: pulled,
                assembler=lambda: Collector(lambda out: out.size),
            )

        def size(_endpoint: Endpoint) -> Plan[int]:
            return Local(run=lambda _job: 7)

        return {"pull": pull, "size": size}


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    with Client(Config(), plugins=[Store(httpserver.url_for(""))]) as client:
        yield client


def parsed(request: Request) -> tuple[dict[str, str], dict[str, tuple[str | None, str | None, bytes]]]:
    data = request.get_data()
    parser = FormDataParser(stream_factory=lambda *_, **__: io.BytesIO())
    _, fields, files = parser.parse(io.BytesIO(data), request.mimetype, len(data), dict(request.mimetype_params))
    return dict(fields), {name: (file.filename, file.content_type, file.read()) for name, file in files.items()}


@pytest.mark.parametrize("world", ["sync", "async"])
def test_a_file_is_read_while_it_is_sent(world: str, client: Client, httpserver: HTTPServer, tmp_path: Path) -> None:
    httpserver.expect_request("/files").respond_with_data("file-1")
    source = tmp_path / "a.jsonl"
    source.write_bytes(BIG)
    told: list[tuple[int, int]] = []
    options: Any = {"purpose": "batch", "on_upload": lambda sent, total: told.append((sent, total))}

    async def run() -> FileInfo:
        async with AsyncClient(Config(), plugins=[Store(httpserver.url_for(""))]) as other:
            return await other.upload_file("store", source, **options)

    info = client.upload_file("store", source, **options) if world == "sync" else anyio.run(run)
    assert info.id == "file-1"
    request = httpserver.log[0][0]
    assert parsed(request) == ({"purpose": "batch"}, {"file": ("a.jsonl", "application/jsonl", BIG)})
    assert "Transfer-Encoding" not in request.headers
    sent = [each for each, _ in told]
    assert sent == sorted(sent)
    assert told[0][0] == 0
    assert told[-1] == (int(request.headers["Content-Length"]),) * 2


@pytest.mark.parametrize("world", ["sync", "asyncio", "trio"])
@pytest.mark.parametrize("at_end", [False, True])
def test_what_is_raised_when_told_of_an_upload_comes_out_as_it_is(
    world: str, at_end: bool, client: Client, httpserver: HTTPServer, tmp_path: Path
) -> None:
    httpserver.expect_request("/files").respond_with_data("file-1")
    source = tmp_path / "a.bin"
    source.write_bytes(BIG)
    error = OSError("the disk that progress is noted on is full")  # which is no failure of the connection

    def watch(sent: int, total: int) -> None:
        if not at_end or sent == total:
            raise error

    async def run() -> None:
        async with AsyncClient(Config(), plugins=[Store(httpserver.url_for(""))]) as other:
            await other.upload_file("store", source, on_upload=watch)

    with pytest.raises(OSError, match="noted on is full") as caught:
        if world == "sync":
            client.upload_file("store", source, on_upload=watch)
        else:
            anyio.run(run, backend=world)
    assert caught.value is error


def test_a_file_that_shrinks_while_it_is_sent_is_an_error(
    client: Client, httpserver: HTTPServer, tmp_path: Path
) -> None:
    httpserver.expect_request("/files").respond_with_data("file-1")
    source = tmp_path / "a.bin"
    source.write_bytes(BIG)
    with pytest.raises(e.InvalidRequestError, match="became shorter"):
        client.upload_file(
            "store", source, on_upload=lambda sent, _total: source.write_bytes(b"") if not sent else None
        )


@pytest.mark.parametrize("world", ["sync", "async"])
def test_a_download_appears_when_it_is_complete(
    world: str, client: Client, httpserver: HTTPServer, tmp_path: Path
) -> None:
    httpserver.expect_request("/files/f").respond_with_data(BIG, content_type="application/json")
    target = tmp_path / "copy"

    async def run() -> Transfer:
        async with AsyncClient(Config(), plugins=[Store(httpserver.url_for(""))]) as other:
            return await other.download_file("store", "f", target)

    done = client.download_file("store", "f", target) if world == "sync" else anyio.run(run)
    assert done.size == len(BIG)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("copy", BIG)]


def test_a_download_that_fails_leaves_what_was_there(client: Client, httpserver: HTTPServer, tmp_path: Path) -> None:
    httpserver.expect_request("/files/f").respond_with_data("gone", status=404)
    target = tmp_path / "copy"
    target.write_bytes(b"old")
    with pytest.raises(e.NotFoundError):
        client.download_file("store", "f", target)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("copy", b"old")]
    with pytest.raises(e.InvalidRequestError, match="cannot write"):
        client.download_file("store", "f", tmp_path / "no" / "where")


def test_sound_while_it_comes(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/speech").respond_with_data(BIG, content_type="audio/wav")
    httpserver.expect_ordered_request("/speech").respond_with_data(b"", content_type="audio/wav")
    with client.stream_speak("store/m", "hello") as stream:
        assert b"".join(event.data for event in stream) == BIG
    assert (stream.response.data, stream.response.media_type) == (BIG, "audio/wav")
    with pytest.raises(e.InvalidResponseError, match="no sound"):
        client.stream_speak("store/m", "hello").read()


def test_a_backends_own_call_may_be_a_stream(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/pull/m").respond_with_handler(
        lambda request: Response("some\nmore\ndone\n", content_type="application/x-ndjson")
    )
    with client.stream_call("store", "pull", model="m") as stream:
        assert [event.status for event in stream] == ["some", "more", "done"]
    assert stream.response == 3
    assert client.call("store", "size") == 7
    with pytest.raises(e.PlanError, match="HttpStream") as caught:
        client.call("store", "pull", model="m")
    assert (caught.value.is_stream, caught.value.hint) == (True, "use stream_call")
    with pytest.raises(e.PlanError, match="Local") as caught:
        client.stream_call("store", "size").read()
    assert (caught.value.is_stream, caught.value.hint) == (False, "use call")
    with pytest.raises(e.InvalidRequestError, match="pull: missing a required argument"):
        client.stream_call("store", "pull").read()


def test_what_a_backend_does_not_have_is_said(client: Client) -> None:
    for call in (
        lambda: client.generate_image("store/m", "a cat"),
        lambda: client.transcribe("store/m", b"RIFF"),
        lambda: client.create_batch("store/m", {"a": "hi"}),
        lambda: client.list_files("store"),
        lambda: client.batch_results("store", "b").read(),
    ):
        with pytest.raises(e.UnsupportedOperationError, match="'store' does not implement"):
            call()


@pytest.mark.parametrize("bad", ["\r\nX-Evil: 1", '"; name="other', "\n--boundary"])
def test_no_name_breaks_out_of_a_form(bad: str) -> None:
    """Neither that of a field nor that of a file."""
    form = Multipart([(f"a{bad}", "1")], [("f", Upload.of(b"x", name=f"g{bad}.txt"))])
    lines = b"".join(form).split(b"\r\n")
    assert len(lines) == 11  # two heads with a value each, and the end
    assert not [line for line in lines if line.startswith((b"X-Evil", b"--boundary")) or b'"other' in line]


def test_no_media_type_breaks_out_of_a_form() -> None:
    image = Image(data=PNG, media_type="image/png\r\nX-Evil: 1")
    with pytest.raises(e.InvalidRequestError, match="f: its media type has characters"):
        Multipart([], [("f", Upload.of(image))])


def test_a_form_has_exactly_the_size_that_it_says(tmp_path: Path) -> None:
    source = tmp_path / 'odd "name"\n.bin'
    source.write_bytes(BIG)
    form = Multipart([("a", "1"), ("b[]", "ü\r\nx")], [("f", Upload.of(source)), ("g", Upload.of(b"x", name="g.txt"))])
    first, second = b"".join(form), b"".join(form)
    assert first == second
    assert len(first) == form.size
    assert b'filename="odd %22name%22%0A.bin"' in first


def test_a_part_of_a_file_is_a_body_too(tmp_path: Path) -> None:
    source = tmp_path / "a.bin"
    source.write_bytes(b"0123456789")
    assert b"".join(FileBody(path=source, offset=3, size=4)) == b"3456"


UPLOADS = [
    (b"RIFF\0\0\0\0WAVE", "file.wav", "audio/wav", 12),
    (bytearray(PNG), "file.png", "image/png", 9),
    (b"\0\1", "file", None, 2),
    (Audio(data=b"ID3"), "file.mp3", "audio/mpeg", 3),
    (Image(url="https://x.test/b/a.png"), "a.png", None, None),
]


@pytest.mark.parametrize(("source", "name", "media_type", "size"), UPLOADS)
def test_what_can_be_uploaded(source: Any, name: str, media_type: str | None, size: int | None) -> None:
    upload = Upload.of(source)
    assert (upload.name, upload.media_type, upload.size) == (name, media_type, size)
    assert Upload.of(upload) is upload


def test_what_cannot_be_uploaded(tmp_path: Path) -> None:
    with pytest.raises(e.InvalidValueError, match="audio: cannot read"):
        Upload.of(tmp_path / "none", "audio")
    with pytest.raises(
        e.InvalidValueError, match="file: expected a path, bytes, an open file or a media part, got int"
    ):
        Upload.of(3)  # type: ignore[arg-type]
    with pytest.raises(e.InvalidValueError, match="needs the bytes"):
        Upload.of(Image(url="https://x.test/a.png")).read()
    with pytest.raises(e.InvalidRequestError, match="file: give exactly one of data=, url= and file_id= of image"):
        convert.upload_request("", (Image(), None), {})
    with pytest.raises(e.InvalidRequestError, match="file: it is a URL"):
        convert.upload_request("", (Image(url="https://x.test/a.png"), None), {})


BAD: list[tuple[Any, Any, dict[str, Any], str]] = [
    (convert.generate_image_request, " ", {}, "prompt: it is empty"),
    (convert.generate_image_request, "a", {"n": 0}, "n: has to be at least 1"),
    (convert.generate_image_request, "a", {"sise": "1"}, "sise: unknown option"),
    (convert.edit_image_request, ([], "a", None), {}, "images: there is none"),
    (convert.edit_image_request, ([3], "a", None), {}, r"images\[0\]: expected an Image"),
    (convert.transcribe_request, b"", {}, "audio: file is empty"),
    (convert.speak_request, 3, {}, "text: expected str"),
    (convert.moderate_request, [3], {}, r"inputs\[0\]: expected a string, an Image"),
    (convert.moderate_request, [], {}, "inputs: there is none"),
    (convert.classify_request, [("a", "b", "c")], {}, r"inputs\[0\]: expected a string or a pair"),
    (convert.batch_request, {}, {}, "items: there is none"),
    (convert.batch_request, ["a"], {}, r"items\[0\]: expected a BatchItem"),
    (convert.batch_request, "a", {}, "items: expected a mapping of ids or BatchItems, got str"),
    (convert.batch_request, Message.user("a"), {}, "items: expected a mapping of ids or BatchItems, got Message"),
    (
        convert.batch_request,
        {"a": Message.user(Text(text=5))},
        {},
        r"items\['a'\]\.messages\.content\[0\]\.text: expected",
    ),  # type: ignore[arg-type]
    (
        convert.batch_request,
        [BatchItem(id="a", request=ChatRequest(messages=(Message.user(Text(text=5)),)))],  # type: ignore[arg-type]
        {},
        r"items\[0\]\.request\.messages\[0\]\.content\[0\]\.text: expected a string, got int",
    ),
    (
        convert.batch_request,
        {"a": ChatRequest(messages=(Message.user("a"),), tools=(Tool(name=5),))},  # type: ignore[arg-type]
        {},
        r"items\['a'\]\.tools\[0\]\.name: expected str, got 5",
    ),
    (
        convert.batch_request,
        [BatchItem(id="a", request=ChatRequest(messages=()))],
        {"seed": 1},
        "seed: options go with",
    ),
]


@pytest.mark.parametrize(("make", "value", "options", "message"), BAD)
def test_bad_requests_are_refused(make: Any, value: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(e.InvalidRequestError, match=message):
        make("m", value, options)


def test_batch_items_take_the_batchs_model_unless_they_name_one() -> None:
    items = [
        BatchItem(id="a", request=ChatRequest(messages=())),
        BatchItem(id="b", request=ChatRequest(model="x", messages=())),
    ]
    found = convert.batch_request("m", items, {"completion_window": "24h"})
    assert [item.request.model for item in found.items] == ["m", "x"]
    assert found.completion_window == "24h"
    chats = convert.batch_request("m", {"a": "hi"}, {"max_tokens": 3})
    assert isinstance(chats.items[0].request, ChatRequest)
    assert chats.items[0].request.max_tokens == 3


def test_images_may_be_kept_by_the_provider() -> None:
    assert Image(file_id="file-1").file_id == "file-1"
    with pytest.raises(e.InvalidRequestError, match="image: give exactly one"):
        convert.vary_image_request("", Image(file_id="file-1", url="x"), {})


def test_usage_is_counted_and_logged_where_that_is_wanted(httpserver: HTTPServer, tmp_path: Path) -> None:
    from ipfs_accel._telemetry.usage import read_log, totals

    httpserver.expect_ordered_request("/files").respond_with_data("file-1")
    httpserver.expect_ordered_request("/files").respond_with_data("no", status=500)
    log = tmp_path / "usage.jsonl"
    plugin = Store(httpserver.url_for(""))
    with Client(Config(usage_log=str(log)), plugins=[plugin], endpoints={"store": EndpointConfig()}) as client:
        client.upload_file("store", b"x")
        with pytest.raises(e.InternalServerError):
            client.upload_file("store", b"x")
        [total] = client.usage()
    assert (total.endpoint, total.calls, total.failed, total.unpriced) == ("store", 1, 1, 1)
    with log.open("a") as file:
        file.write("broken\n")
    [line] = read_log(log)
    assert (line["operation"], line["endpoint"], line["cost"]) == ("upload_file", "store", None)
    assert log.stat().st_mode & 0o777 == 0o600
    assert [each.calls for each in totals(read_log(log))] == [1]
    assert not list(read_log(log, since=line["time"] + 1))


def test_a_usage_log_that_cannot_be_written_costs_no_answer(
    client: Client, httpserver: HTTPServer, tmp_path: Path
) -> None:
    httpserver.expect_request("/files").respond_with_data("file-1")
    with Client(Config(usage_log=str(tmp_path)), plugins=[Store(httpserver.url_for(""))]) as other:
        with pytest.warns(UserWarning, match="usage_log: cannot write"):
            assert other.upload_file("store", b"x").id == "file-1"
        assert other.upload_file("store", b"x").id == "file-1"
