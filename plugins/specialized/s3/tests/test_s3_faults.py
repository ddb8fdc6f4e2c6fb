"""What stores do wrong, and what boto3 is kept from doing: over a server that answers as a test says."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig, Secret
from ipfs_accel import errors as e
from ipfs_accel.plans import Endpoint as EndpointOf
from ipfs_accel.plans import Job
from ipfs_accel_s3 import Options
from ipfs_accel_s3._clients import connect
from ipfs_accel_s3._errors import translated
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from .conftest import ID, SECRET

MIB = 1024 * 1024
DATA = bytes(range(256)) * 4096 * 12  # 12 MiB
ETAG = '"etag"'


def endpoint(server: HTTPServer, key: str | None = f"{ID}:{SECRET}", **options: Any) -> EndpointConfig:
    url = server.url_for("").rstrip("/")
    return EndpointConfig(backend="s3", base_url=url, key=key, options={"part_size": 5 * MIB, **options})


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    with Client(Config(environ={}), endpoints={"s3": endpoint(httpserver)}) as client:
        yield client


def problem(code: str, message: str = "No.", **more: str) -> str:
    extra = "".join(f"<{name}>{value}</{name}>" for name, value in more.items())
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message>{extra}<RequestId>r-7</RequestId></Error>"


ERRORS: list[tuple[int, str, type[e.APIError], bool]] = [
    (400, "InvalidArgument", e.BadRequestError, False),
    (400, "BadDigest", e.BadRequestError, True),
    (400, "RequestTimeout", e.BadRequestError, True),
    (400, "ExpiredToken", e.AuthenticationError, False),
    (400, "AuthorizationHeaderMalformed", e.AuthenticationError, False),
    (403, "AccessDenied", e.PermissionDeniedError, False),
    (403, "SignatureDoesNotMatch", e.AuthenticationError, False),
    (403, "InvalidAccessKeyId", e.AuthenticationError, False),
    (403, "RequestTimeTooSkewed", e.AuthenticationError, False),
    (403, "InvalidObjectState", e.PermissionDeniedError, False),
    (404, "NoSuchKey", e.NotFoundError, False),
    (405, "MethodNotAllowed", e.NotSupportedByServerError, False),
    (409, "OperationAborted", e.ConflictError, True),
    (409, "ConditionalRequestConflict", e.ConflictError, True),
    (409, "BucketNotEmpty", e.ConflictError, False),
    (411, "MissingContentLength", e.APIStatusError, False),
    (412, "PreconditionFailed", e.PreconditionFailedError, False),
    (416, "InvalidRange", e.APIStatusError, False),
    (429, "TooManyRequests", e.RateLimitError, True),
    (500, "InternalError", e.InternalServerError, True),
    (501, "NotImplemented", e.NotSupportedByServerError, False),
    (502, "", e.InternalServerError, True),
    (503, "SlowDown", e.RateLimitError, True),
    (503, "ServiceUnavailable", e.OverloadedError, True),
]


@pytest.mark.parametrize(("status", "code", "kind", "retryable"), ERRORS)
def test_errors(status: int, code: str, kind: type[e.APIError], retryable: bool, httpserver: HTTPServer) -> None:
    body = problem(code) if code else "<html>bad gateway</html>"
    httpserver.expect_request("/bucket/k").respond_with_data(body, status, {"x-amz-request-id": "r-7"})
    place = EndpointOf(name="s3", backend="s3", base_url=httpserver.url_for("").rstrip("/"), options=Options())
    with pytest.raises(kind) as caught, translated():
        connect(place, Job(key=lambda: Secret(f"{ID}:{SECRET}"))).get_object(Bucket="bucket", Key="k")
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.retryable, error.request_id) == (status, retryable, "r-7")
    assert len(httpserver.log) == 1  # boto3 repeats nothing; one layer does that, for all backends


def test_a_wait_that_the_store_asks_for_is_told(httpserver: HTTPServer, client: Client) -> None:
    for header, value in (("x-amz-retry-after", "1500"), ("retry-after", "1.5")):
        httpserver.clear()
        httpserver.expect_request("/bucket/k").respond_with_data(problem("SlowDown"), 503, {header: value})
        with pytest.raises(e.RateLimitError) as caught:
            client.get_object("s3/bucket/k", timeout=60)
        assert caught.value.retry_after == 1.5


class Shop:
    """A store of one object that answers ranges, and spoils what a test wants spoilt."""

    def __init__(self, server: HTTPServer, data: bytes = DATA) -> None:
        self.data = data
        self.etag = ETAG
        self.metadata: dict[str, str] = {}
        self.spoil: Callable[[Request, bytes], Response | None] = lambda _request, _data: None
        self.ranges: list[str] = []
        self.checksum_modes: list[str | None] = []
        server.expect_request("/bucket/k").respond_with_handler(self.answer)

    def answer(self, request: Request) -> Response:
        headers = {"ETag": self.etag, **self.metadata}
        if request.method == "HEAD":
            return Response(headers={**headers, "Content-Length": str(len(self.data))})
        if request.headers.get("If-Match", self.etag) != self.etag:
            return Response(problem("PreconditionFailed"), 412)
        self.checksum_modes.append(request.headers.get("x-amz-checksum-mode"))
        wanted = request.headers.get("Range")
        if wanted is None:
            return self.spoil(request, self.data) or Response(self.data, headers=headers)
        self.ranges.append(wanted)
        first, last = (int(number) for number in wanted.removeprefix("bytes=").split("-"))
        part = self.data[first : last + 1]
        headers["Content-Range"] = f"bytes {first}-{last}/{len(self.data)}"
        return self.spoil(request, part) or Response(part, 206, headers)


def cut(data: bytes, start: int | None = None) -> Response:
    """Promise all of it, from `start` on, and send half."""
    headers = {"ETag": ETAG, "Content-Length": str(len(data))}
    if start is not None:
        headers["Content-Range"] = f"bytes {start}-{start + len(data) - 1}/{len(DATA)}"
    answer = Response(iter([data[: len(data) // 2]]), 200 if start is None else 206, headers)
    answer.automatically_set_content_length = False
    return answer


def test_a_download_goes_on_where_it_broke_off(httpserver: HTTPServer, tmp_path: Path) -> None:
    shop = Shop(httpserver)
    shop.spoil = lambda request, data: (
        cut(data, 5 * MIB) if request.headers["Range"].startswith("bytes=5242880-") else None
    )
    to = tmp_path / "k"
    with Client(Config(environ={}), endpoints={"s3": endpoint(httpserver, threads=1)}) as client:
        error = attempt(client, to)
        assert isinstance(error, e.APIConnectionError)
        assert error.retryable
        assert "ended early" in error.message
        assert not to.exists()
        assert len(list(tmp_path.iterdir())) == 2
        shop.spoil = lambda _request, _data: None
        shop.ranges.clear()
        told: list[tuple[int, int]] = []
        client.download_object("s3/bucket/k", to, on_progress=lambda *at: told.append(at))
        assert told[0] == (5 * MIB, 12 * MIB)
        assert shop.ranges == ["bytes=5242880-10485759", "bytes=10485760-12582911"]
        assert to.read_bytes() == DATA
        assert list(tmp_path.iterdir()) == [to]
        assert set(shop.checksum_modes) == {None}  # a range has no checksum of its own


def attempt(client: Client, to: Path) -> e.APIError:
    with pytest.raises(e.APIError) as caught:
        client.download_object("s3/bucket/k", to)
    return caught.value


def test_a_download_does_not_mix_two_versions(httpserver: HTTPServer, client: Client, tmp_path: Path) -> None:
    shop = Shop(httpserver)

    def change(_request: Request, _data: bytes) -> None:
        shop.etag = '"other"'

    shop.spoil = change
    error = attempt(client, tmp_path / "k")
    assert isinstance(error, e.ConflictError)
    assert (error.retryable, error.code) == (True, "PreconditionFailed")
    shop.spoil = lambda _request, _data: None
    client.download_object("s3/bucket/k", tmp_path / "k", resume=False)
    assert (tmp_path / "k").read_bytes() == DATA


def test_spoilt_content_is_not_kept(httpserver: HTTPServer, client: Client, tmp_path: Path) -> None:
    shop = Shop(httpserver, b"spoilt")
    shop.metadata = {"x-amz-meta-sha256": "0" * 64}
    for read, retryable in (
        (lambda: client.download_object("s3/bucket/k", tmp_path / "k"), True),
        # What comes as a stream cannot be taken back; a second reading has shown that it is the store that has it so.
        (lambda: client.get_object("s3/bucket/k"), False),
    ):
        with pytest.raises(e.InvalidResponseError, match="sha256") as caught:
            read()
        assert caught.value.retryable is retryable
    assert list(tmp_path.iterdir()) == []
    shop.metadata = {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-type": "FULL_OBJECT"}
    with pytest.raises(e.InvalidResponseError, match="crc32"):
        client.download_object("s3/bucket/k", tmp_path / "k")
    # A checksum of checksums of parts says nothing of the whole.
    shop.metadata = {"x-amz-checksum-crc32": "AAAAAA==-2", "x-amz-checksum-type": "COMPOSITE"}
    assert client.download_object("s3/bucket/k", tmp_path / "k").verified is None


def test_the_checksum_of_the_store_is_verified_while_content_is_read(httpserver: HTTPServer) -> None:
    shop = Shop(httpserver, b"123456789")
    shop.metadata = {"x-amz-checksum-crc32": "y/Q5Jg=="}  # 0xCBF43926, the usual example
    with Client(Config(environ={}), endpoints={"s3": endpoint(httpserver, checksums="when_supported")}) as client:
        assert client.get_object("s3/bucket/k").verified == "crc32"
        assert shop.checksum_modes == ["ENABLED"]
        shop.metadata = {"x-amz-checksum-crc32": "AAAAAA=="}
        with pytest.raises(e.InvalidResponseError, match="not what the store's checksum says"):
            client.get_object("s3/bucket/k")


def test_content_that_ends_early_is_no_content(httpserver: HTTPServer, client: Client) -> None:
    shop = Shop(httpserver)
    shop.spoil = lambda _request, data: cut(data)
    with pytest.raises(e.StreamInterrupted, match="ended early"):
        client.get_object("s3/bucket/k")


def test_a_stream_that_is_left_gives_its_connection_back(httpserver: HTTPServer) -> None:
    Shop(httpserver)
    with Client(Config(environ={}), endpoints={"s3": endpoint(httpserver)}) as client:
        for _attempt in range(40):  # more than the pool has
            with client.stream_object("s3/bucket/k") as stream:
                next(stream)
        assert client.head_object("s3/bucket/k").size == len(DATA)


def test_a_success_that_holds_an_error_is_an_error(httpserver: HTTPServer, client: Client) -> None:
    Shop(httpserver)
    httpserver.expect_request("/bucket/copy", method="PUT").respond_with_data(problem("InternalError"), 200)
    with pytest.raises(e.InternalServerError) as caught:
        client.copy_object("s3/bucket/k", "s3/bucket/copy")
    assert (caught.value.code, caught.value.retryable) == ("InternalError", True)


def test_an_upload_that_fails_in_the_end_is_aborted(httpserver: HTTPServer, client: Client, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(DATA)
    begun = "<InitiateMultipartUploadResult><UploadId>u-1</UploadId></InitiateMultipartUploadResult>"
    aborted: list[str] = []

    def answer(request: Request) -> Response:
        if "uploads" in request.args:
            return Response(begun)
        if request.method == "PUT":
            request.get_data()
            return Response(headers={"ETag": ETAG})
        if request.method == "DELETE":
            aborted.append(request.args["uploadId"])
            return Response(status=204)
        return Response(problem("InternalError"), 200)  # completing fails with a success

    httpserver.expect_request("/bucket/k").respond_with_handler(answer)
    with pytest.raises(e.InternalServerError):
        client.put_object("s3/bucket/k", tmp_path / "big")
    assert aborted == ["u-1"]


def test_a_store_that_ignores_conditions_is_not_written_to(httpserver: HTTPServer, client: Client) -> None:
    """Old stores answer with success and overwrite."""
    objects: dict[str, bytes] = {"k": b"mine"}

    def answer(request: Request) -> Response:
        key = request.path.removeprefix("/old/")
        if request.method == "PUT":
            objects[key] = request.get_data()
        if request.method == "DELETE":
            objects.pop(key, None)
        return Response(headers={"ETag": ETAG})

    httpserver.expect_request(re.compile("/old/.*")).respond_with_handler(answer)
    for write in (
        lambda: client.put_object("s3/old/k", b"yours", if_none_match="*"),
        lambda: client.put_object("s3/old/k", b"yours", if_match=ETAG),
        lambda: client.put_object("s3/old/k", DATA, if_none_match="*"),
        lambda: client.delete_object("s3/old/k", if_match=ETAG),
    ):
        with pytest.raises(e.NotSupportedByServerError, match="does not honour conditions"):
            write()
    assert objects == {"k": b"mine"}
    assert client.call("s3", "honours_conditions", bucket="old") is False
    before = len(httpserver.log)
    client.call("s3", "honours_conditions", bucket="old")
    assert len(httpserver.log) == before  # asked once


def test_a_conditional_write_that_may_have_happened_is_not_repeated(httpserver: HTTPServer) -> None:
    over = threading.Event()

    def answer(request: Request) -> Response:
        request.get_data()
        if "probe" in request.path:
            if "If-None-Match" in request.headers:
                return Response(problem("PreconditionFailed"), 412)
            return Response("probe" if request.method == "GET" else "")
        over.wait(60)
        return Response()

    httpserver.expect_request(re.compile("/bucket/.*")).respond_with_handler(answer)
    with Client(Config(environ={}), endpoints={"s3": endpoint(httpserver, read_timeout=0.3)}) as client:
        with pytest.raises(e.APITimeoutError) as caught:
            client.put_object("s3/bucket/k", b"1", if_none_match="*")
        over.set()
        assert not caught.value.retryable
        assert "may have happened" in (caught.value.hint or "")


def test_deleting_many_one_by_one_where_the_store_cannot_do_it_together(httpserver: HTTPServer, client: Client) -> None:
    for status, code, asked in ((501, "NotImplemented", 1), (400, "MissingContentMD5", 2)):  # once more with an MD5
        httpserver.clear()
        httpserver.expect_request("/bucket", method="POST").respond_with_data(problem(code), status)
        httpserver.expect_request("/bucket/a", method="DELETE").respond_with_data(status=204)
        httpserver.expect_request("/bucket/b", method="DELETE").respond_with_data(problem("AccessDenied"), 403)
        with Client(Config(environ={}), endpoints={"s3": endpoint(httpserver)}) as other:
            done = other.delete_objects("s3/bucket", ["a", "b"])
            assert (done.deleted, [(each.key, each.code) for each in done.failed]) == (("a",), [("b", "AccessDenied")])
            other.delete_objects("s3/bucket", ["a"])
        assert len([request for request, _answer in httpserver.log if request.method == "POST"]) == asked


def test_errors_in_a_success_of_deleting_many_are_told(httpserver: HTTPServer, client: Client) -> None:
    body = (
        "<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>AccessDenied</Code>"
        "<Message>No.</Message></Error></DeleteResult>"
    )
    httpserver.expect_request("/bucket", method="POST").respond_with_data(body)
    done = client.delete_objects("s3/bucket", ["a", "b"])
    assert (done.deleted, done.failed[0].code) == (("a",), "AccessDenied")
    sent = httpserver.log[0][0]
    assert "x-amz-checksum-crc32" in {name.lower() for name, _value in sent.headers}


def test_health_needs_no_right_to_list_all_buckets(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/", method="GET").respond_with_data(problem("AccessDenied"), 403, {"server": "Shop"})
    httpserver.expect_request("/mine", method="HEAD").respond_with_data(headers={"server": "Shop/1"})
    endpoints = {"s3": endpoint(httpserver), "with": endpoint(httpserver, bucket="mine")}
    with Client(Config(environ={}), endpoints=endpoints) as client:
        assert client.healthcheck("s3").status == "ok"
        assert (client.healthcheck("with").server or "").endswith("Shop/1")
        assert [(each.method, each.path) for each, _answer in httpserver.log] == [("GET", "/"), ("HEAD", "/mine")]
    gone = EndpointConfig(backend="s3", base_url="http://127.0.0.1:9", key=f"{ID}:{SECRET}")
    with Client(Config(environ={}), endpoints={"s3": gone}) as client:
        assert client.healthcheck("s3").status == "unreachable"
        with pytest.raises(e.APIConnectionError) as caught:
            client.head_object("s3/bucket/k", timeout=60)
        assert not caught.value.sent


def test_keys_are_bytes_that_nobody_normalises(httpserver: HTTPServer, client: Client) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_data("x", headers={"ETag": ETAG})
    for key, path in (
        ("a/../b", "/bucket/a/../b"),
        ("a//b", "/bucket/a//b"),
        ("/lead", "/bucket//lead"),
        ("ü?#", "/bucket/%C3%BC%3F%23"),
    ):
        client.get_object(f"s3/bucket/{key}")
        assert httpserver.log[-1][0].environ["RAW_URI"] == path


def test_a_cancelled_download_stops_and_can_go_on(httpserver: HTTPServer, tmp_path: Path) -> None:
    shop = Shop(httpserver)
    waiting, on = threading.Event(), threading.Event()

    def hold(request: Request, data: bytes) -> Response | None:
        if not request.headers["Range"].startswith("bytes=0-"):
            waiting.set()
            on.wait(60)
        return None

    shop.spoil = hold

    async def run() -> None:
        endpoints = {"s3": endpoint(httpserver, threads=1)}
        async with AsyncClient(Config(environ={}), endpoints=endpoints) as client, anyio.create_task_group() as group:
            group.start_soon(client.download_object, "s3/bucket/k", tmp_path / "k")
            assert await anyio.to_thread.run_sync(waiting.wait, 60)
            group.cancel_scope.cancel()
        on.set()

    anyio.run(run)
    for thread in [each for each in threading.enumerate() if each.name.startswith("ipfs-accel-s3")]:
        thread.join(60)
    assert not (tmp_path / "k").exists()
    assert len(shop.ranges) == 2  # the third part was not asked for
    shop.spoil = lambda _request, _data: None
    with Client(Config(environ={}), endpoints={"s3": endpoint(httpserver)}) as client:
        client.download_object("s3/bucket/k", tmp_path / "k")
    assert (tmp_path / "k").read_bytes() == DATA


def test_no_link_is_written_through(httpserver: HTTPServer, client: Client, tmp_path: Path) -> None:
    shop = Shop(httpserver, b"data")
    shop.spoil = lambda _request, data: cut(data)
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "k").symlink_to(victim)
    shop.spoil = lambda _request, _data: None
    client.download_object("s3/bucket/k", tmp_path / "k")
    assert (victim.read_bytes(), (tmp_path / "k").read_bytes(), (tmp_path / "k").is_symlink()) == (
        b"precious",
        b"data",
        False,
    )
