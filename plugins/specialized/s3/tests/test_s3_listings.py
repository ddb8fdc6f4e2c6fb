"""Listings that end early, deletes that say too little, and answers that are none: over a store that a test makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ipfs_accel import errors as e
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from .odd import Odd, problem
from .test_s3_answers import at

KEYS = [f"k{number}.gguf" for number in range(6)]


def lists(server: HTTPServer, wrong: str) -> None:
    """Answer with pages of three keys, and what is wrong with them."""

    def page(request: Request) -> Response:
        after = request.args.get("continuation-token") or request.args.get("start-after") or ""
        if wrong == "ignores start-after":
            after = request.args.get("continuation-token", "")
        keys = [key for key in KEYS if key > after][:3]
        if wrong in {"same token", "same page"}:
            keys = KEYS[:3]
        more = keys[-1:] != KEYS[-1:]
        told = {
            "": f"<NextContinuationToken>{keys[-1]}</NextContinuationToken>",
            "marker of the first version": f"<NextMarker>{keys[-1]}</NextMarker>",
            "same token": "<NextContinuationToken>x</NextContinuationToken>",
            "same page": f"<NextContinuationToken>x{len(server.log)}</NextContinuationToken>",
        }
        items = "".join(f"<Contents><Key>{key}</Key><Size>1</Size></Contents>" for key in keys)
        flag = "" if wrong == "no flag" else f"<IsTruncated>{str(more).lower()}</IsTruncated>"
        token = told.get(wrong, told[""] if wrong == "no flag" else "") if more else ""
        return Response(f"<ListBucketResult><Name>b</Name>{flag}{token}{items}</ListBucketResult>")

    server.expect_request("/b", method="GET").respond_with_handler(page)


def listed(server: HTTPServer, **asked: Any) -> list[str]:
    with at(server, models="b/") as client:
        found = [event.key for event in client.list_objects("s/b", **asked)]  # type: ignore[union-attr]
        assert [model.id for model in client.list_models("s")] == [f"b/{key}" for key in found]
        return found


@pytest.mark.parametrize("wrong", ["", "no flag", "marker of the first version", "no token"])
def test_a_listing_goes_on_to_its_end(wrong: str, httpserver: HTTPServer) -> None:
    lists(httpserver, wrong)
    assert listed(httpserver) == KEYS


@pytest.mark.parametrize("wrong", ["same token", "same page", "ignores start-after"])
def test_a_listing_that_cannot_go_on_fails(wrong: str, httpserver: HTTPServer, tmp_path: Path) -> None:
    lists(httpserver, wrong)
    with at(httpserver, models="b/") as client:
        for look in (
            lambda: client.list_objects("s/b").read(),
            lambda: client.list_models("s"),
            lambda: client.download_objects("s/b/", tmp_path),
        ):
            with pytest.raises(e.AccelError, match="does not get on"):
                look()
    assert list(tmp_path.iterdir()) == []


def test_a_listing_of_folders_without_a_token_fails(httpserver: HTTPServer) -> None:
    lists(httpserver, "no token")
    with at(httpserver) as client, pytest.raises(e.AccelError, match="not where"):
        client.list_objects("s/b", delimiter="/").read()


@pytest.mark.parametrize("body", ["", "<html><body>Welcome</body></html>"])
def test_what_is_no_listing_is_not_an_empty_one(body: str, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/b").respond_with_data(body)
    with at(httpserver) as client:
        with pytest.raises(e.AccelError, match="no list of objects"):
            client.list_objects("s/b").read()
        with pytest.raises(e.AccelError, match="no list of uploads"):
            client.call("s", "list_uploads", bucket="b")


@pytest.mark.parametrize("markers", [True, False])
def test_the_list_of_uploads_goes_on(markers: bool, httpserver: HTTPServer) -> None:
    def page(request: Request) -> Response:
        is_first = not request.args.get("key-marker")
        key = "one" if is_first else "two"
        more = "<NextKeyMarker>one</NextKeyMarker><NextUploadIdMarker>u</NextUploadIdMarker>" if markers else ""
        item = f"<Upload><Key>{key}</Key><UploadId>u</UploadId></Upload>"
        flag = f"<IsTruncated>{str(is_first).lower()}</IsTruncated>"
        root = "ListMultipartUploadsResult"
        return Response(f"<{root}><Bucket>b</Bucket>{flag}{more if is_first else ''}{item}</{root}>")

    httpserver.expect_request("/b").respond_with_handler(page)
    with at(httpserver) as client:
        assert [each["Key"] for each in client.call("s", "list_uploads", bucket="b")] == ["one", "two"]


def test_a_list_of_uploads_that_repeats_itself_fails(httpserver: HTTPServer) -> None:
    root, upload = "ListMultipartUploadsResult", "<Upload><Key>one</Key><UploadId>u</UploadId></Upload>"
    httpserver.expect_request("/b").respond_with_data(f"<{root}><IsTruncated>true</IsTruncated>{upload}</{root}>")
    with at(httpserver) as client, pytest.raises(e.InvalidResponseError, match="same place twice"):
        client.call("s", "list_uploads", bucket="b")


def test_what_a_store_does_not_say_is_not_taken_for_deleted(httpserver: HTTPServer) -> None:
    asked: list[int] = []

    def delete(request: Request) -> Response:
        asked.append(request.get_data().count(b"<Key>"))
        return Response(
            "<DeleteResult><Deleted><Key>a</Key></Deleted><Deleted></Deleted><Deleted><Key>lead</Key></Deleted>"
            "<Error><Code>AccessDenied</Code><Key>c</Key></Error><Error><Code>Odd</Code></Error></DeleteResult>"
        )

    httpserver.expect_request("/b", method="POST").respond_with_handler(delete)
    with at(httpserver) as client:
        done = client.delete_objects("s/b", ["a", "x//y", "a", "c", "/lead"])
    assert asked == [4]  # one of two that are the same
    assert done.deleted == ("a",)
    assert [(each.key, each.code) for each in done.failed] == [("x//y", None), ("c", "AccessDenied"), ("/lead", None)]
    assert "does of 'lead'" in (done.failed[2].message or "")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("MissingContentMD5", "Missing required header for this request: Content-Md5."),
        ("InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*"),
        ("MissingArgument", "Missing Some Required Arguments: Content-MD5."),
    ],
)
def test_a_store_that_wants_an_md5_gets_one(code: str, message: str, httpserver: HTTPServer) -> None:
    """boto3 sends none any more, for deletes, tags or what a lock protects."""

    def answer(request: Request) -> Response:
        if "Content-MD5" not in request.headers:
            return problem(code, 400, message)
        return Response("<DeleteResult><Deleted><Key>a</Key></Deleted></DeleteResult>" if request.args else "")

    odd = Odd(httpserver)
    odd.before = answer
    with at(httpserver) as client:
        for _attempt in range(2):
            assert client.delete_objects("s/b", ["a"]).failed == ()
        assert odd.log == ["POST ?delete"] * 3  # from the second call on at once
        client.call("s", "set_tags", bucket="b", key="a", tags={"x": "y"})
        client.put_object("s/b/a", b"locked", checksum=None)  # type: ignore[typeddict-item]
        client.put_object("s/b/a", b"locked")
    assert odd.log[3:] == ["PUT a?tagging"] * 2 + ["PUT a"] * 3


def test_a_refusal_for_another_reason_deletes_nothing(httpserver: HTTPServer) -> None:
    odd = Odd(httpserver)
    odd.keep("a", b"")
    for code, status in (("AccessDenied", 403), ("InvalidRequest", 400), ("NoSuchBucket", 404)):
        odd.before = lambda request, code=code, status=status: (  # type: ignore[misc]
            problem(code, status) if request.method == "POST" else None
        )
        with at(httpserver) as client, pytest.raises(e.APIStatusError):
            client.delete_objects("s/b", ["a"])
    assert "a" in odd.objects
