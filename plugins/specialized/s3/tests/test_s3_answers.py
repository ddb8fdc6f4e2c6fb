"""Whether an answer is about what was asked: over a store that does one thing wrong at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig
from ipfs_accel import errors as e
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from .conftest import ID, SECRET
from .odd import Odd, crc32, options, problem

DATA = bytes(range(100))
MIB = 1024 * 1024
BIG = DATA * 160_000  # four parts of 5 MiB


@contextmanager
def at(server: HTTPServer, **more: Any) -> Iterator[Client]:
    with Client(Config(environ={}), endpoints={"s": place(server, **more)}) as client:
        yield client


def place(server: HTTPServer, **more: Any) -> EndpointConfig:
    url = server.url_for("").rstrip("/")
    return EndpointConfig(backend="s3", base_url=url, key=f"{ID}:{SECRET}", options=options(**more))


RANGES: list[tuple[dict[str, int], bytes]] = [
    ({"offset": 10, "length": 5}, DATA[10:15]),
    ({"offset": 95}, DATA[95:]),
    ({"offset": -3}, DATA[-3:]),
    ({"length": 4}, DATA[:4]),
    ({"offset": 95, "length": 50}, DATA[95:]),
]


@pytest.mark.parametrize("wrong", ["ranges", "other range", "clipped range", "no range", "no total", ""])
def test_other_bytes_never_pass_for_those_asked_for(wrong: str, httpserver: HTTPServer, tmp_path: Path) -> None:
    Odd(httpserver, wrong).keep("k", DATA)
    with at(httpserver) as client:
        for asked, expected in RANGES:
            reads: tuple[Callable[[], bytes | None], ...] = (
                lambda asked=asked: client.get_object("s/b/k", **asked).data,  # type: ignore[misc]
                lambda asked=asked: fetched(client, tmp_path / "f", **asked),  # type: ignore[misc]
            )
            for read in reads:
                if wrong in {"no total", ""} or (wrong == "other range" and asked.get("offset", 0) == 0):
                    assert read() == expected
                    continue
                with pytest.raises(e.InvalidResponseError, match="the store sent"):
                    read()
    assert list(tmp_path.glob(".*")) == []


def fetched(client: Client, to: Path, **asked: Any) -> bytes:
    to.unlink(missing_ok=True)
    client.download_object("s/b/k", to, **asked)
    return to.read_bytes()


def test_a_range_that_may_be_cut_is_compared_with_the_size(httpserver: HTTPServer) -> None:
    Odd(httpserver, "no total and clipped").keep("k", DATA)
    with at(httpserver) as client:
        for asked, _expected in RANGES:
            with pytest.raises(e.InvalidResponseError, match="the store sent"):
                client.get_object("s/b/k", **asked)  # type: ignore[arg-type]


def test_the_asynchronous_client_refuses_them_too(httpserver: HTTPServer) -> None:
    Odd(httpserver, "ranges").keep("k", DATA)

    async def run() -> None:
        async with AsyncClient(Config(environ={}), endpoints={"s": place(httpserver)}) as client:
            with pytest.raises(e.InvalidResponseError, match="all of the object where bytes=10-14 was asked for"):
                await client.get_object("s/b/k", offset=10, length=5)
            assert (await client.get_object("s/b/k", length=100)).data == DATA  # which is all of it

    anyio.run(run)


def test_a_part_is_not_all_of_it(httpserver: HTTPServer) -> None:
    odd = Odd(httpserver)
    odd.keep("k", DATA, ETag='"x-3"')
    with at(httpserver) as client:
        with pytest.raises(e.InvalidResponseError, match="where part 2 was asked for"):
            client.get_object("s/b/k", extra={"PartNumber": 2})
        with pytest.raises(e.InvalidResponseError, match="where part 1 was asked for"):
            client.get_object("s/b/k", extra={"PartNumber": 1})
        odd.before = lambda _request: Response(DATA[:9], 206, {"ETag": '"e"', "Content-Range": "bytes 0-8/100"})
        assert client.get_object("s/b/k", extra={"PartNumber": 1}).data == DATA[:9]
        with pytest.raises(e.InvalidResponseError, match="where all of the object was asked for"):
            client.get_object("s/b/k")


def test_more_than_there_is_from_either_end_is_all_of_it(httpserver: HTTPServer, tmp_path: Path) -> None:
    odd = Odd(httpserver, "no more than there is")
    odd.keep("k", DATA)
    with at(httpserver) as client:
        assert client.get_object("s/b/k", offset=-300).data == DATA
        odd.keep("k", b"")
        for asked in ({"length": 5}, {"offset": -5}):
            assert client.get_object("s/b/k", **asked).data == b""  # type: ignore[arg-type]
            assert fetched(client, tmp_path / "f", **asked) == b""
        with pytest.raises(e.APIStatusError):
            client.get_object("s/b/k", offset=5)


def test_a_condition_that_is_ignored_is_held_to_all_the_same(httpserver: HTTPServer) -> None:
    Odd(httpserver, "conditions").keep("k", DATA)
    with at(httpserver) as client:
        etag = client.head_object("s/b/k").etag or ""
        for read in (client.get_object, client.head_object):
            assert read("s/b/k", if_match=f'"other", {etag}').etag == etag
            for asked, status in (({"if_match": '"other"'}, 412), ({"if_unmodified_since": 1e9}, 412)):
                with pytest.raises(e.PreconditionFailedError, match="answered regardless") as caught:
                    read("s/b/k", **asked)  # type: ignore[arg-type]
                assert caught.value.status == status
            with pytest.raises(e.PreconditionFailedError) as caught:
                read("s/b/k", if_none_match=etag)
            assert caught.value.status == 304
            with pytest.raises(e.InvalidResponseError, match="no version"):
                read("s/b/k", version="v1")
        with pytest.raises(e.PreconditionFailedError):
            client.copy_object("s/b/k", "s/b/l", if_source_matches='"other"')


@pytest.mark.parametrize("threads", [1, 4])
def test_two_objects_are_never_mixed_into_one_file(threads: int, httpserver: HTTPServer, tmp_path: Path) -> None:
    odd = Odd(httpserver, "conditions")
    odd.keep("k", b"1" * len(BIG))
    with at(httpserver, threads=threads) as client:
        changed = []

        def change(done: int, _total: int) -> None:
            if done and not changed:
                changed.append(done)
                odd.keep("k", b"2" * len(BIG))

        with pytest.raises(e.ConflictError, match="changed while it was fetched"):
            client.download_object("s/b/k", tmp_path / "k", on_progress=change)
        assert not (tmp_path / "k").exists()
        client.download_object("s/b/k", tmp_path / "k")
        assert (tmp_path / "k").read_bytes() == b"2" * len(BIG)


def test_a_download_that_goes_on_does_not_go_on_with_another_object(httpserver: HTTPServer, tmp_path: Path) -> None:
    """Where neither an ETag nor a time names the object, nothing says that what is there is a part of it."""
    odd = Odd(httpserver)

    def keep(data: bytes) -> None:
        odd.keep("k", data)
        del odd.objects["k"][1]["ETag"], odd.objects["k"][1]["Last-Modified"]

    odd.wrong = "conditions"
    keep(b"1" * len(BIG))
    breaks = [True]
    odd.before = lambda request: (
        problem("InternalError", 500)
        if breaks[0] and request.headers.get("Range", "").startswith("bytes=5242880-")
        else None
    )
    with at(httpserver, threads=1) as client:
        with pytest.raises(e.InternalServerError):
            client.download_object("s/b/k", tmp_path / "k")
        breaks[0] = False
        keep(b"2" * len(BIG))
        client.download_object("s/b/k", tmp_path / "k")
    assert (tmp_path / "k").read_bytes() == b"2" * len(BIG)


@pytest.mark.parametrize("wrong", ["head without a length", "head of nothing", "no etag of a range"])
def test_what_a_look_does_not_tell_is_not_taken_for_nothing(wrong: str, httpserver: HTTPServer, tmp_path: Path) -> None:
    Odd(httpserver, wrong).keep("k", DATA)
    with at(httpserver) as client:
        if wrong == "head without a length":
            client.download_object("s/b/k", tmp_path / "k")
            assert (tmp_path / "k").read_bytes() == DATA
            assert client.head_object("s/b/k").size == 100
            return
        with pytest.raises((e.ConflictError, e.InvalidResponseError)):
            client.download_object("s/b/k", tmp_path / "k")
        assert not (tmp_path / "k").exists()


def test_content_without_a_length_is_compared_with_the_size(httpserver: HTTPServer) -> None:
    odd = Odd(httpserver)
    odd.keep("k", DATA)

    def transcoded(request: Request) -> Response | None:
        if request.method != "GET":
            return None
        answer = Response(iter([DATA[:50]]), headers={"ETag": odd.objects["k"][1]["ETag"]})
        answer.headers.pop("Content-Length", None)
        return answer

    odd.before = transcoded
    with at(httpserver) as client, pytest.raises(e.AccelError, match="ended early"):
        client.get_object("s/b/k")


# What is verified -----------------------------------------------------------------------------------------------------


def test_metadata_of_an_older_object_does_not_make_a_newer_one_unreadable(
    httpserver: HTTPServer, tmp_path: Path
) -> None:
    odd = Odd(httpserver, "keeps metadata")
    with at(httpserver) as client, at(httpserver, hash_uploads=False) as other:
        client.put_object("s/b/k", b"old")
        other.put_object("s/b/k", b"newer")
        assert odd.objects["k"][1]["x-amz-meta-sha256"]
        got = client.get_object("s/b/k")
        assert (got.data, got.verified) == (b"newer", "md5")
        assert client.download_object("s/b/k", tmp_path / "k").verified == "md5"
        # Where nothing speaks for the content, it is refused, not read for ever, and there is a way to it.
        odd.objects["k"][1]["ETag"] = '"opaque"'
        with pytest.raises(e.InvalidResponseError, match="sha256") as caught:
            client.get_object("s/b/k")
        assert not caught.value.retryable
        assert "verify = false" in (caught.value.hint or "")
    with at(httpserver, verify=False) as client:
        assert client.get_object("s/b/k").data == b"newer"
        client.download_object("s/b/k", tmp_path / "l")
        assert (tmp_path / "l").read_bytes() == b"newer"


def test_what_is_spoilt_on_the_way_may_be_tried_again(httpserver: HTTPServer) -> None:
    odd = Odd(httpserver)
    with at(httpserver) as client:
        client.put_object("s/b/k", b"data")
        contents = [b"dat4", b"data"]
        odd.before = lambda request: (
            Response(contents.pop(0), headers=odd.objects["k"][1]) if request.method == "GET" else None
        )
        with pytest.raises(e.InvalidResponseError, match="sha256") as caught:
            client.get_object("s/b/k")
        assert caught.value.retryable


@pytest.mark.parametrize("kind", [None, "COMPOSITE"])
def test_a_checksum_of_parts_is_none_of_the_whole(kind: str | None, httpserver: HTTPServer, tmp_path: Path) -> None:
    """There are stores that leave out the number of parts behind it."""
    about = {"x-amz-checksum-crc32": crc32(b"of the parts"), "ETag": '"x-2"'}
    Odd(httpserver).keep("k", DATA, **about, **({"x-amz-checksum-type": kind} if kind else {}))
    with at(httpserver, checksums="when_supported") as client:
        assert client.download_object("s/b/k", tmp_path / "k").verified is None
        assert client.get_object("s/b/k").verified is None


def test_downloads_that_agree_are_not_repeated(httpserver: HTTPServer, tmp_path: Path) -> None:
    odd = Odd(httpserver)
    odd.keep("k", DATA, ETag='"opaque"', **{"x-amz-meta-sha256": "0" * 64})
    from ipfs_accel import RetryConfig

    again = EndpointConfig(
        backend="s3", base_url=place(httpserver).base_url, key=f"{ID}:{SECRET}", retry=RetryConfig(attempts=5, base=0.0)
    )
    with Client(Config(environ={}), endpoints={"s": again}) as client, pytest.raises(e.InvalidResponseError) as caught:
        client.download_object("s/b/k", tmp_path / "k")
    assert (caught.value.retryable, odd.log.count("GET k")) == (False, 2)


# What is stored -------------------------------------------------------------------------------------------------------


def test_what_a_store_does_not_keep_is_told_at_once(httpserver: HTTPServer) -> None:
    odd = Odd(httpserver, "drops content")
    with at(httpserver) as client:
        for headers in ({}, {"ETag": '"d41d8cd98f00b204e9800998ecf8427e"'}):
            odd.before = lambda request, told=headers: (  # type: ignore[misc]
                Response(b"", headers=told) if request.method == "GET" else None
            )
            with pytest.raises(e.InvalidResponseError, match="keeps 0 bytes in b/dir/ that are not the 4 bytes"):
                client.put_object("s/b/dir/", b"data")
        assert client.put_object("s/b/dir/", b"").size == 0
    with at(httpserver, verify_etag=False) as client:
        assert client.put_object("s/b/dir/", b"data").size == 4


def test_etags_that_are_no_md5_are_found_out_once(httpserver: HTTPServer) -> None:
    odd = Odd(httpserver, "opaque etags")
    with at(httpserver) as client:
        for _attempt in range(3):
            client.put_object("s/b/k", b"data")
    assert odd.log == ["PUT k", "GET k", "PUT k", "PUT k"]


def test_under_a_key_of_its_own_an_etag_is_no_md5(httpserver: HTTPServer) -> None:
    odd = Odd(httpserver)
    for name in ("aws:kms", "aws:kms:dsse"):
        told = {"ETag": f'"{"0" * 32}"', "x-amz-server-side-encryption": name}
        odd.before = lambda _request, told=told: Response(headers=told)  # type: ignore[misc]
        with at(httpserver) as client:
            client.put_object("s/b/k", b"data")
    assert odd.log == ["PUT k", "PUT k"]


def test_a_store_that_keeps_the_framing_gets_no_more_of_it(httpserver: HTTPServer) -> None:
    odd = Odd(httpserver, "framing")
    with at(httpserver, store="versitygw") as client:  # which is taken to understand checksums
        client.put_object("s/b/k", b"data")
        assert odd.objects["k"][0] == b"data"
        client.put_object("s/b/l", b"data", if_none_match="*")
        client.put_object("s/b/m", b"data")
    assert odd.log.count("PUT m") == 1
    with at(httpserver, checksums="when_supported") as client:
        with pytest.raises(e.InvalidResponseError, match="framing") as caught:
            client.put_object("s/b/k", b"data")
        assert "when_required" in (caught.value.hint or "")
