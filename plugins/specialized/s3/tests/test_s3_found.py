"""What is found out about a store while it is used, and how: by its name, by a trial, by what it refuses."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from ipfs_accel import Client, Config, EndpointConfig, StoreConfig
from ipfs_accel import errors as e
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from .conftest import ID, SECRET
from .odd import Odd, crc32, problem
from .test_s3_answers import at, place

MIB = 1024 * 1024
BIG = bytes(range(256)) * 4096 * 6


class Parts(Odd):
    """Takes uploads in parts too; `sums` is what checksums the parts came with."""

    def __init__(self, server: HTTPServer, wrong: str = "") -> None:
        super().__init__(server, wrong)
        self.sums: list[str | None] = []
        self.parts: dict[int, bytes] = {}

    def _post(self, request: Request, key: str) -> Response:
        if "uploads" in request.args:
            self.parts.clear()
            return Response("<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
        if self.wrong == "no sums of parts" and b"ChecksumCRC32" in request.get_data():
            return problem("BadRequest", 400, "the checksum of the parts is not understood")
        self.keep(key, b"".join(self.parts[number] for number in sorted(self.parts)))
        return Response("<CompleteMultipartUploadResult><ETag>x-2</ETag></CompleteMultipartUploadResult>")

    def _put(self, request: Request, key: str) -> Response:
        if "partNumber" not in request.args:
            return super()._put(request, key)
        self.parts[int(request.args["partNumber"])] = data = request.get_data()
        if not key.startswith("."):
            self.sums.append(request.headers.get("x-amz-checksum-crc32"))
        told = {"x-amz-checksum-crc32": crc32(data)} if request.headers.get("x-amz-checksum-crc32") else {}
        return Response(headers={"ETag": f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"', **told})


@pytest.mark.parametrize(("wrong", "is_summed"), [("", True), ("framing", False), ("no sums of parts", False)])
def test_a_store_that_nobody_knows_is_tried_out_before_the_first_upload_in_parts(
    wrong: str, is_summed: bool, httpserver: HTTPServer
) -> None:
    odd = Parts(httpserver, wrong)
    with at(httpserver) as client:
        for _attempt in range(2):
            client.put_object("s/b/k", BIG)
            assert client.get_object("s/b/k").data == BIG
    assert [each is not None for each in odd.sums] == [is_summed] * 4
    assert len([each for each in odd.log if ".ipfs-accel-probe" in each and each.startswith("PUT")]) <= 2  # once
    assert list(odd.objects) == ["k"]


@pytest.mark.parametrize("name", ["MinIO", "VERSITYGW"])
def test_a_store_that_says_its_name_is_not_tried_out(name: str, httpserver: HTTPServer) -> None:
    odd = Parts(httpserver)

    def named(request: Request) -> Response:
        odd.before = lambda _request: None
        answer = odd.answer(request)
        odd.before = named
        answer.headers["Server"] = name
        return answer

    odd.before = named
    with at(httpserver) as client:
        client.put_object("s/b/k", BIG)
        client.put_object("s/b/k", b"data")
    assert all(odd.sums)
    assert not [each for each in odd.log if "probe" in each]


def test_what_a_setting_says_is_not_found_out(httpserver: HTTPServer) -> None:
    odd = Parts(httpserver)
    for said, is_summed in (("when_required", False), ("when_supported", True)):
        odd.sums.clear()
        with at(httpserver, checksums=said) as client:
            client.put_object("s/b/k", BIG)
        assert [each is not None for each in odd.sums] == [is_summed] * 2
    assert not [each for each in odd.log if "probe" in each]


def test_a_refusal_of_checksums_is_not_met_twice(httpserver: HTTPServer) -> None:
    odd = Odd(httpserver)
    odd.before = lambda request: (
        problem("InvalidArgument", 400, "this checksum header is not supported")
        if "x-amz-checksum-crc32" in request.headers
        else None
    )
    with at(httpserver, store="versitygw") as client:
        client.put_object("s/b/k", b"data")
        client.put_object("s/b/k", b"data")
    assert odd.log == ["PUT k"] * 3
    with at(httpserver, checksums="when_supported") as client:
        with pytest.raises(e.BadRequestError) as caught:
            client.put_object("s/b/k", b"data")
        assert "when_required" in (caught.value.hint or "")


@pytest.mark.parametrize("code", ["SecondLevelDomainForbidden", "PathStyleDomainForbidden"])
def test_a_store_that_wants_the_bucket_in_the_host_gets_it_there(code: str, httpserver: HTTPServer) -> None:
    """The server is the proxy, so that names of hosts need not exist."""
    hosts: list[str] = []

    def answer(request: Request) -> Response:
        hosts.append(request.host)
        if not request.host.startswith("bucket."):
            return problem(code, 403)
        return Response("data", headers={"ETag": '"e"'})

    httpserver.expect_request("/bucket/k").respond_with_handler(answer)
    httpserver.expect_request("/k").respond_with_handler(answer)
    config = Config(environ={}, proxy=httpserver.url_for("").rstrip("/"))
    store = EndpointConfig(backend="s3", base_url="http://store.invalid", key=f"{ID}:{SECRET}")
    with Client(config, endpoints={"s": store}) as client:
        with pytest.raises(e.PermissionDeniedError) as caught:
            client.get_object("s/bucket/k")
        assert caught.value.retryable  # the next attempt is another request
        assert client.get_object("s/bucket/k").data == b"data"
    assert hosts == ["store.invalid", "bucket.store.invalid"]
    known = EndpointConfig(backend="s3", base_url="http://oss-cn-shanghai.aliyuncs.com", key=f"{ID}:{SECRET}")
    with Client(config, endpoints={"s": known}) as client:
        assert client.get_object("s/bucket/k").data == b"data"


@pytest.mark.parametrize(("wrong", "honours"), [("", True), ("refused copy destroys", False)])
def test_a_refusal_that_destroys_is_none(wrong: str, honours: bool, httpserver: HTTPServer) -> None:
    odd = Odd(httpserver, wrong)
    odd.keep("a", b"1")
    odd.keep("b", b"2")
    with at(httpserver) as client:
        assert client.call("s", "honours_conditions", bucket="b", write="copy") is honours
        wanted: Any = e.PreconditionFailedError if honours else e.NotSupportedByServerError
        with pytest.raises(wanted):
            client.copy_object("s/b/a", "s/b/b", if_none_match="*")
    assert {key: data for key, (data, _about) in odd.objects.items()} == {"a": b"1", "b": b"2"}


# What HEAD does not say -----------------------------------------------------------------------------------------------


@pytest.fixture
def stranger(httpserver: HTTPServer) -> Odd:
    """A store that does not know the key id, and says 404 to it."""
    odd = Odd(httpserver)
    odd.before = lambda request: (
        Response(status=404) if request.method == "HEAD" else problem("XAdminUserNotFound", 404)
    )
    return odd


def test_credentials_are_never_not_found(stranger: Odd, httpserver: HTTPServer, tmp_path: Any) -> None:
    with at(httpserver, bucket="b") as client:
        for call in (
            lambda: client.head_object("s/b/k"),
            lambda: client.download_object("s/b/k", tmp_path / "k"),
            lambda: client.copy_object("s/b/k", "s/b/l"),
        ):
            with pytest.raises(e.AuthenticationError):
                call()
        assert client.healthcheck("s").status == "misconfigured"


def test_an_endpoint_that_refuses_does_not_make_another_one_serve(stranger: Odd, httpserver: HTTPServer) -> None:
    """It would serve an older copy without a word."""
    with HTTPServer(host="127.0.0.1") as second:
        Odd(second).keep("k", b"old")
        stores = {"both": StoreConfig(endpoints=("one", "two"), seek_missing=True)}
        endpoints = {"one": place(httpserver), "two": place(second)}
        with Client(Config(environ={}, stores=stores), endpoints=endpoints) as client:
            with pytest.raises(e.AuthenticationError):
                client.head_object("both/b/k")
            stranger.before = lambda _request: None
            assert client.head_object("both/b/k").size == 3


def test_what_is_not_found_is_asked_for_twice_at_most(httpserver: HTTPServer) -> None:
    odd = Odd(httpserver)
    with at(httpserver) as client, pytest.raises(e.NotFoundError) as caught:
        client.head_object("s/b/k")
    assert (caught.value.code, odd.log) == ("404", ["HEAD k", "GET k"])
    odd.log.clear()
    with at(httpserver, store="aws") as client, pytest.raises(e.NotFoundError):
        client.head_object("s/b/k")
    assert odd.log == ["HEAD k"]  # which says 403 to who it does not know


def test_a_presigned_put_names_its_type(httpserver: HTTPServer) -> None:
    with at(httpserver) as client:
        assert client.presign_object("s/b/k", method="put").headers == {"Content-Type": "application/octet-stream"}
        signed = client.presign_object("s/b/k", method="put", content_type="text/plain")
        assert signed.headers == {"Content-Type": "text/plain"}
        assert client.presign_object("s/b/k").headers == {}
