"""What the core's one retry layer makes of S3: parts go on where they failed, and what is final stays final."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ipfs_accel import Client, Config, EndpointConfig, LimitsConfig, RetryConfig
from ipfs_accel import errors as e
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

MIB = 1024 * 1024
DATA = bytes(range(256)) * 4096 * 12


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    url = httpserver.url_for("").rstrip("/")
    place = EndpointConfig(
        backend="s3",
        base_url=url,
        key="ID:secret-secret",
        options={"part_size": 5 * MIB, "threads": 1},
        retry=RetryConfig(base=0.0, throttle_base=0.0),
        limits=LimitsConfig(max_concurrent=4),
    )
    with Client(Config(environ={}), endpoints={"s3": place}) as client:
        yield client


def problem(code: str) -> str:
    return f"<Error><Code>{code}</Code><Message>No.</Message></Error>"


def test_an_upload_goes_on_with_the_parts_that_failed(httpserver: HTTPServer, client: Client, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(DATA)
    parts: list[str] = []

    def answer(request: Request) -> Response:
        if "uploads" in request.args:
            return Response("<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
        request.get_data()
        if request.method == "PUT":
            parts.append(request.args["partNumber"])
            if parts.count("2") == 1 and parts[-1] == "2":
                return Response(problem("SlowDown"), 503)
            return Response(headers={"ETag": '"e"'})
        return Response("<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>")

    httpserver.expect_request("/bucket/k").respond_with_handler(answer)
    told: list[int] = []
    stored = client.put_object("s3/bucket/k", tmp_path / "big", on_upload=lambda done, _total: told.append(done))
    assert parts == ["1", "2", "2", "3"]
    assert stored.size == told[-1] == len(DATA)


def test_a_download_goes_on_by_itself(httpserver: HTTPServer, client: Client, tmp_path: Path) -> None:
    ranges: list[str] = []

    def answer(request: Request) -> Response:
        headers = {"ETag": '"e"', "Content-Length": str(len(DATA))}
        if request.method == "HEAD":
            return Response(headers=headers)
        ranges.append(request.headers["Range"])
        if len(ranges) == 2:
            return Response(problem("InternalError"), 500)
        first, last = (int(number) for number in ranges[-1].removeprefix("bytes=").split("-"))
        about = {"ETag": '"e"', "Content-Range": f"bytes {first}-{last}/{len(DATA)}"}
        return Response(DATA[first : last + 1], 206, about)

    httpserver.expect_request("/bucket/k").respond_with_handler(answer)
    client.download_object("s3/bucket/k", tmp_path / "k")
    assert (tmp_path / "k").read_bytes() == DATA
    assert ranges == ["bytes=0-5242879", "bytes=5242880-10485759", "bytes=5242880-10485759", "bytes=10485760-12582911"]


def test_what_is_final_is_asked_once(httpserver: HTTPServer, client: Client) -> None:
    httpserver.expect_request("/bucket/k").respond_with_data(problem("AccessDenied"), 403)
    with pytest.raises(e.PermissionDeniedError):
        client.get_object("s3/bucket/k")
    assert len(httpserver.log) == 1
    httpserver.clear()
    httpserver.expect_request("/bucket/k").respond_with_data(problem("SlowDown"), 503)
    with pytest.raises(e.RateLimitError) as caught:
        client.get_object("s3/bucket/k")
    assert (caught.value.attempts, len(httpserver.log)) == (3, 3)  # three in all: boto3 adds none
