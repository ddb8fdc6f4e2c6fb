"""Every operation against real stores: moto, and versitygw, which also checks signatures and checksums."""

from __future__ import annotations

import base64
import hashlib
import io
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig, StoreConfig, Timeout
from ipfs_accel import errors as e
from ipfs_accel.types import ObjectInfo, ObjectPrefix

from .conftest import SECRET, Server

MIB = 1024 * 1024
PART = 5 * MIB
BIG = bytes(range(256)) * 4096 * 13  # 13 MiB: three parts of 5 MiB


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_an_object_comes_back_as_it_went(client: Client, bucket: str, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    stored = client.put_object(
        f"s3/{bucket}/a/k.txt",
        b"hello",
        content_type="text/plain",
        metadata={"by": "me"},
        on_upload=lambda done, total: told.append((done, total)),
    )
    assert (stored.size, told[-1]) == (5, (5, 5))
    assert stored.etag
    assert stored.request_id
    got = client.get_object(f"s3/{bucket}/a/k.txt")
    assert (got.data, got.content_type, got.size, got.verified) == (b"hello", "text/plain", 5, "sha256")
    assert got.metadata == {"by": "me", "sha256": sha256(b"hello")}
    looked = client.head_object(f"s3/{bucket}/a/k.txt")
    assert (looked.etag, looked.size, looked.metadata) == (stored.etag, 5, got.metadata)
    assert abs((looked.modified or 0) - time.time()) < 300
    assert client.put_object(f"s3/{bucket}/empty", b"").size == 0
    assert client.get_object(f"s3/{bucket}/empty").data == b""
    assert client.download_object(f"s3/{bucket}/empty", tmp_path / "empty").size == 0
    assert (tmp_path / "empty").read_bytes() == b""


def test_ranges(client: Client, bucket: str, tmp_path: Path) -> None:
    client.put_object(f"summed/{bucket}/k", b"0123456789")
    for options, data in (({"offset": 2, "length": 3}, b"234"), ({"offset": 7}, b"789"), ({"offset": -4}, b"6789")):
        got = client.get_object(f"summed/{bucket}/k", **options)
        assert (got.data, got.size, got.verified) == (data, 10, None)
        client.download_object(f"summed/{bucket}/k", tmp_path / "f", **options)
        assert (tmp_path / "f").read_bytes() == data
    assert client.get_object(f"summed/{bucket}/k", length=100).data == b"0123456789"
    with pytest.raises(e.APIStatusError) as caught:
        client.get_object(f"summed/{bucket}/k", offset=100)
    assert (caught.value.status, caught.value.code) == (416, "InvalidRange")
    with pytest.raises(e.InvalidRequestError, match="beyond the object's 10 bytes"):
        client.download_object(f"s3/{bucket}/k", tmp_path / "f", offset=100)


@pytest.mark.parametrize("endpoint", ["parts", "summed-parts"])
def test_large_objects_go_and_come_in_parts(endpoint: str, client: Client, bucket: str, tmp_path: Path) -> None:
    source = tmp_path / "big.bin"
    source.write_bytes(BIG)
    sent: list[tuple[int, int]] = []
    got: list[tuple[int, int]] = []
    address = f"{endpoint}/{bucket}/big"
    stored = client.put_object(address, source, on_upload=lambda *at: sent.append(at))
    found = client.download_object(address, tmp_path / "again", on_progress=lambda *at: got.append(at))
    assert client.call("s3", "list_uploads", bucket=bucket) == []
    assert stored.size == len(BIG)
    assert stored.etag is not None
    assert stored.etag.strip('"').endswith("-3")
    assert (sent[-1], got[0], got[-1]) == ((len(BIG),) * 2, (0, len(BIG)), (len(BIG),) * 2)
    assert [done for done, _total in sent] == sorted(done for done, _total in sent)
    assert found.verified == "sha256"
    assert (tmp_path / "again").read_bytes() == BIG
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "big.bin"]
    with client.stream_object(address) as stream:
        assert b"".join(event.data for event in stream) == BIG
    assert stream.response.verified == "sha256"


@pytest.mark.parametrize("size", [3, PART, PART + 1])
def test_pieces_of_unknown_total_go_too(size: int, client: Client, bucket: str) -> None:
    stored = client.put_object(f"parts/{bucket}/p", (BIG[at : at + MIB] for at in range(0, size, MIB)))
    assert stored.size == client.head_object(f"s3/{bucket}/p").size == -(-size // MIB) * MIB
    client.put_object(f"parts/{bucket}/f", io.BytesIO(BIG[:size]))
    assert client.get_object(f"s3/{bucket}/f").data == BIG[:size]


def test_sources_that_fail_are_named_and_leave_nothing(client: Client, bucket: str, tmp_path: Path) -> None:
    def broken() -> Any:
        yield BIG[:PART] * 2
        raise RuntimeError("no more")

    with pytest.raises(e.InvalidRequestError, match="expected pieces of bytes"):
        client.put_object(f"parts/{bucket}/wrong", iter(["text"]))  # type: ignore[list-item]
    with pytest.raises(e.InvalidRequestError, match="failed with RuntimeError: no more"):
        client.put_object(f"parts/{bucket}/broken", broken())
    with pytest.raises(e.InvalidRequestError, match="cannot read"):
        client.put_object(f"parts/{bucket}/gone", tmp_path / "gone")
    assert client.call("s3", "list_uploads", bucket=bucket) == []
    assert client.list_objects(f"s3/{bucket}").read().count == 0


def test_listings_go_over_pages_and_stop_where_they_shall(client: Client, bucket: str) -> None:
    for name in ("a/1", "a/2", "b", "c/d/3", "ä b+c%2F"):
        client.put_object(f"s3/{bucket}/{name}", b"x")
    keys = [event.key for event in client.list_objects(f"s3/{bucket}") if isinstance(event, ObjectInfo)]
    assert keys == ["a/1", "a/2", "b", "c/d/3", "ä b+c%2F"]
    looked = client.list_objects(f"s3/{bucket}", delimiter="/")
    assert [each.prefix if isinstance(each, ObjectPrefix) else each.key for each in looked] == [
        "a/",
        "b",
        "c/",
        "ä b+c%2F",
    ]
    assert (looked.response.count, looked.response.size, looked.response.complete) == (4, 2, True)
    some = client.list_objects(f"s3/{bucket}", limit=2, start_after="a/1").read()
    assert (some.count, some.complete) == (2, False)
    exact = client.list_objects(f"s3/{bucket}/a/", limit=2).read()
    assert (exact.count, exact.complete) == (2, True)
    paged = client.list_objects(f"s3/{bucket}", extra={"MaxKeys": 2})
    assert len(list(paged)) == 5
    assert ObjectPrefix(bucket=bucket) in list(client.list_objects("s3"))
    assert client.get_object(f"s3/{bucket}/ä b+c%2F").data == b"x"


def test_what_is_absent(client: Client, bucket: str, tmp_path: Path) -> None:
    with pytest.raises(e.NotFoundError) as caught:
        client.head_object(f"s3/{bucket}/gone")
    assert (caught.value.status, caught.value.code) == (404, "404")  # an answer to HEAD has no body
    with pytest.raises(e.NotFoundError) as caught:
        client.get_object(f"s3/{bucket}/gone")
    assert (caught.value.status, caught.value.code, caught.value.endpoint) == (404, "NoSuchKey", "s3")
    with pytest.raises(e.NotFoundError):
        client.download_object(f"s3/{bucket}/gone", tmp_path / "f")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(e.NotFoundError) as caught:
        client.list_objects("s3/no-such-bucket-here").read()
    assert caught.value.code == "NoSuchBucket"
    client.delete_object(f"s3/{bucket}/gone")  # deleting what is absent succeeds


def test_deleting(client: Client, bucket: str) -> None:
    keys = [f"k{number}" for number in range(12)]
    for key in keys:
        client.put_object(f"s3/{bucket}/{key}", b"")
    client.delete_object(f"s3/{bucket}/k0")
    done = client.delete_objects(f"s3/{bucket}", keys[1:])
    assert (sorted(done.deleted), done.failed) == (sorted(keys[1:]), ())
    assert client.list_objects(f"s3/{bucket}").read().count == 0
    client.put_object(f"s3/{bucket}/k", b"")
    with pytest.raises(e.ConflictError) as caught:
        client.call("s3", "delete_bucket", bucket=bucket)
    assert caught.value.code == "BucketNotEmpty"
    assert not caught.value.retryable


def test_copies(client: Client, bucket: str) -> None:
    client.put_object(f"s3/{bucket}/a b", b"data", metadata={"x": "1"}, content_type="text/plain")
    copied = client.copy_object(f"s3/{bucket}/a b", f"s3/{bucket}/c")
    looked = client.get_object(f"s3/{bucket}/c")
    assert (looked.data, looked.content_type, looked.etag) == (b"data", "text/plain", copied.etag)
    assert looked.metadata == {"x": "1", "sha256": sha256(b"data")}
    # Saying one thing anew must not lose the others.
    client.copy_object(f"s3/{bucket}/c", f"s3/{bucket}/c", content_type="text/csv")
    looked = client.head_object(f"s3/{bucket}/c")
    assert (looked.content_type, looked.metadata["x"]) == ("text/csv", "1")
    client.copy_object(f"s3/{bucket}/c", f"s3/{bucket}/c", metadata={"y": "2"})
    looked = client.head_object(f"s3/{bucket}/c")
    assert (looked.content_type, looked.metadata) == ("text/csv", {"y": "2"})
    with pytest.raises(e.PreconditionFailedError):
        client.copy_object(f"s3/{bucket}/c", f"s3/{bucket}/d", if_source_matches='"other"')
    with pytest.raises(e.NotFoundError):
        client.copy_object(f"s3/{bucket}/gone", f"s3/{bucket}/d")


def test_large_copies_go_in_parts(client: Client, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from ipfs_accel_s3 import _objects

    monkeypatch.setattr(_objects, "MAX_COPY", PART)
    monkeypatch.setattr(_objects, "COPY_PART", PART)
    client.put_object(f"s3/{bucket}/big", BIG, metadata={"x": "1"}, content_type="text/plain")
    told: list[tuple[int, int]] = []
    copied = client.copy_object(f"s3/{bucket}/big", f"s3/{bucket}/copy", on_upload=lambda *at: told.append(at))
    assert copied.size == len(BIG)
    assert told[-1] == (len(BIG), len(BIG))
    looked = client.get_object(f"s3/{bucket}/copy")
    assert (looked.data, looked.content_type, looked.metadata["x"]) == (BIG, "text/plain", "1")


def test_conditions_on_writes(client: Client, bucket: str) -> None:
    first = client.put_object(f"s3/{bucket}/k", b"1", if_none_match="*")
    with pytest.raises(e.PreconditionFailedError) as caught:
        client.put_object(f"s3/{bucket}/k", b"2", if_none_match="*")
    assert (caught.value.status, caught.value.code, caught.value.retryable) == (412, "PreconditionFailed", False)
    second = client.put_object(f"s3/{bucket}/k", b"2", if_match=first.etag or "")
    with pytest.raises(e.PreconditionFailedError):
        client.put_object(f"s3/{bucket}/k", b"3", if_match=first.etag or "")
    assert client.get_object(f"s3/{bucket}/k").data == b"2"
    with pytest.raises(e.PreconditionFailedError):
        client.delete_object(f"s3/{bucket}/k", if_match=first.etag)
    client.delete_object(f"s3/{bucket}/k", if_match=second.etag)
    assert client.list_objects(f"s3/{bucket}").read().count == 0  # what was tried out is gone too


def test_conditions_on_large_writes(client: Client, bucket: str) -> None:
    client.put_object(f"parts/{bucket}/k", BIG, if_none_match="*")
    with pytest.raises(e.PreconditionFailedError):
        client.put_object(f"parts/{bucket}/k", BIG, if_none_match="*")
    assert client.call("s3", "list_uploads", bucket=bucket) == []


def test_conditions_on_reads(client: Client, server: Server, bucket: str) -> None:
    etag = client.put_object(f"s3/{bucket}/k", b"1").etag or ""
    modified = client.head_object(f"s3/{bucket}/k").modified or 0.0
    assert client.get_object(f"s3/{bucket}/k", if_match=etag, if_unmodified_since=modified).data == b"1"
    for options, status in (
        ({"if_none_match": etag}, 304),
        # versitygw compares with the fraction of a second that no answer tells.
        *([] if server.checks else [({"if_modified_since": modified}, 304)]),
        ({"if_match": '"other"'}, 412),
        ({"if_unmodified_since": modified - 86_400}, 412),
    ):
        for read in (client.get_object, client.head_object):
            with pytest.raises(e.PreconditionFailedError) as caught:
                read(f"s3/{bucket}/k", **options)  # type: ignore[arg-type]
            assert caught.value.status == status


def test_a_condition_that_the_store_ignores_is_refused(client: Client, bucket: str) -> None:
    """moto copies regardless of If-None-Match."""
    client.put_object(f"s3/{bucket}/a", b"1")
    client.put_object(f"s3/{bucket}/b", b"2")
    honours = client.call("s3", "honours_conditions", bucket=bucket, write="copy")
    wanted: Any = e.PreconditionFailedError if honours else e.NotSupportedByServerError
    with pytest.raises(wanted):
        client.copy_object(f"s3/{bucket}/a", f"s3/{bucket}/b", if_none_match="*")
    assert client.get_object(f"s3/{bucket}/b").data == b"2"
    assert client.call("s3", "honours_conditions", bucket=bucket, write="create")


def test_checksums(client: Client, bucket: str) -> None:
    for name in ("crc32", "sha256", "sha1"):
        stored = client.put_object(f"s3/{bucket}/{name}", b"data", checksum=name)
        assert name in stored.checksums
    assert client.get_object(f"summed/{bucket}/crc32").checksums["crc32"]
    client.put_object(f"summed/{bucket}/plain", b"data")
    assert client.head_object(f"summed/{bucket}/plain").checksums["crc32"]


def test_presigned_requests(client: Client, bucket: str) -> None:
    put = client.presign_object(f"s3/{bucket}/k", method="put", content_type="text/plain", expires_in=60)
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in put.url  # without being told, boto3 signs with version 2
    assert SECRET not in put.url
    assert abs(put.expires - time.time() - 60) < 30
    send = urllib.request.Request(put.url, data=b"from far", method="PUT", headers=dict(put.headers))
    assert urllib.request.urlopen(send).status == 200
    assert client.get_object(f"s3/{bucket}/k").content_type == "text/plain"
    got = client.presign_object(f"s3/{bucket}/k")
    with urllib.request.urlopen(got.url) as answer:
        assert answer.read() == b"from far"
    gone = client.presign_object(f"s3/{bucket}/k", method="delete")
    urllib.request.urlopen(urllib.request.Request(gone.url, method="DELETE")).close()
    with pytest.raises(e.NotFoundError):
        client.head_object(f"s3/{bucket}/k")
    form = client.presign_object(f"s3/{bucket}/k", method="post", max_size=10)
    assert form.fields["key"] == "k"
    for wrong, options in (("expires_in", {"expires_in": 604_801}), ("max_size", {"max_size": 5})):
        with pytest.raises(e.InvalidRequestError, match=wrong):
            client.presign_object(f"s3/{bucket}/k", **options)  # type: ignore[arg-type]


def test_models_are_found_among_the_objects(client: Client, server: Server, bucket: str) -> None:
    for key in (
        *("m/tiny.gguf", "m/split-00001-of-00002.gguf", "m/split-00002-of-00002.gguf"),
        *("m/bert/model.safetensors", "m/bert/config.json", "m/readme.md", "elsewhere/x.gguf"),
    ):
        client.put_object(f"s3/{bucket}/{key}", b"12")
    with Client(Config(environ={}), endpoints={"s3": server.endpoint(models=f"{bucket}/m/")}) as other:
        models = {model.id: model for model in other.list_models("s3")}
        assert set(models) == {f"{bucket}/m/{name}" for name in ("tiny.gguf", "split.gguf", "bert")}
        assert models[f"{bucket}/m/split.gguf"].raw["size"] == 4
        assert other.show_model(f"s3/{bucket}/m/bert").description == "safetensors, 1 file(s), 2 bytes"
        with pytest.raises(e.ModelNotFoundError):
            other.show_model(f"s3/{bucket}/m/none")
        health = other.healthcheck("s3")
        assert (health.status, health.detail) == ("ok", f"bucket {bucket}")
        assert other.supports("s3", "put_object").value == "yes"
        assert {other.supports("s3", name).value for name in ("chat", "stream", "embed")} == {"no"}
        with pytest.raises(e.UnsupportedOperationError):
            other.chat("s3/x", "hello")
    with pytest.raises(e.ConfigError, match="does not say where its models are"):
        client.list_models("s3")
    assert client.healthcheck("s3").status == "ok"


def test_own_calls(client: Client, bucket: str) -> None:
    client.put_object(f"s3/{bucket}/k", b"", tags={"stage": "test", "a b": "c=d/e"})
    assert client.call("s3", "get_tags", bucket=bucket, key="k") == {"stage": "test", "a b": "c=d/e"}
    client.call("s3", "set_tags", bucket=bucket, key="k", tags={"x": "y"})
    assert client.call("s3", "get_tags", bucket=bucket, key="k") == {"x": "y"}
    client.call("s3", "set_tags", bucket=bucket, key="k", tags={})
    assert client.call("s3", "get_tags", bucket=bucket, key="k") == {}
    begun = client.call("s3", "request", operation="create_multipart_upload", Bucket=bucket, Key="part")
    parts = client.call("s3", "request", operation="list_parts", Bucket=bucket, Key="part", UploadId=begun["UploadId"])
    assert parts.get("Parts", []) == []
    assert [each["Key"] for each in client.call("s3", "list_uploads", bucket=bucket)] == ["part"]
    assert client.call("s3", "abort_uploads", bucket=bucket, older_than=1e9) == 0
    assert client.call("s3", "abort_uploads", bucket=bucket, older_than=-60) == 1
    assert client.call("s3", "list_uploads", bucket=bucket) == []
    for operation, message in (("get_object", "content for an answer"), ("list_part", "did you mean")):
        with pytest.raises(e.InvalidRequestError) as caught:
            client.call("s3", "request", operation=operation)
        assert message in f"{caught.value.message} {caught.value.hint}"


def test_wrong_arguments_name_the_field(client: Client, bucket: str) -> None:
    for options, message in (
        ({"metadata": {"x": "ü"}}, "Non ascii"),
        ({"extra": {"NoSuchThing": 1}}, "NoSuchThing"),
        ({"extra": {"Metadata": {}}, "metadata": {"a": "b"}}, "extra: Metadata"),
        ({"checksum": "md6"}, "MD6|md6"),
    ):
        with pytest.raises(e.AccelError, match=f"(?i){message}"):
            client.put_object(f"s3/{bucket}/k", b"", **options)  # type: ignore[arg-type]
    with pytest.raises(e.InvalidRequestError, match="Invalid bucket name"):
        client.put_object("s3/no bucket/k", b"")


def test_the_asynchronous_client_does_the_same(client: Client, server: Server, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(BIG)

    async def run() -> None:
        async with AsyncClient(Config(environ={}), endpoints={"s3": server.endpoint(part_size=PART)}) as other:
            await other.put_object(f"s3/{bucket}/d/big", tmp_path / "big")
            got = await other.download_object(f"s3/{bucket}/d/big", tmp_path / "again")
            assert got.verified == "sha256"
            assert (tmp_path / "again").read_bytes() == BIG
            await other.copy_object(f"s3/{bucket}/d/big", f"s3/{bucket}/d/copy")
            found = await other.download_objects(f"s3/{bucket}/d/", tmp_path / "all")
            assert [info.key for info in found] == ["d/big", "d/copy"]
            async with other.stream_object(f"s3/{bucket}/d/copy") as stream:
                async for event in stream:
                    assert event.data
                    break
            assert (await other.delete_objects(f"s3/{bucket}", ["d/big", "d/copy"])).failed == ()
            with pytest.raises(e.NotFoundError):
                await other.head_object(f"s3/{bucket}/d/big")
            assert (await other.healthcheck("s3")).ok

    anyio.run(run)


def test_another_endpoint_of_the_store_serves_if_one_is_gone(server: Server, bucket: str, tmp_path: Path) -> None:
    gone = EndpointConfig(backend="s3", base_url="http://127.0.0.1:9", key=server.endpoint().key)
    endpoints = {"one": gone, "two": server.endpoint()}
    stores = {"both": StoreConfig(endpoints=("one", "two"))}
    limits = Timeout(total=300)
    with Client(Config(environ={}, stores=stores), endpoints=endpoints) as client:
        assert client.put_object(f"both/{bucket}/k", b"data", timeout=limits).endpoint == "two"
        assert client.get_object(f"both/{bucket}/k", timeout=limits).data == b"data"
        assert client.download_object(f"both/{bucket}/k", tmp_path / "k", timeout=limits).verified == "sha256"
        assert [event.key for event in client.list_objects(f"both/{bucket}") if isinstance(event, ObjectInfo)] == ["k"]
        with pytest.raises(e.NotFoundError):
            client.get_object(f"both/{bucket}/gone")


def test_an_upload_that_is_cancelled_ends_and_leaves_no_parts(client: Client, server: Server, bucket: str) -> None:
    begun = threading.Event()
    ended = threading.Event()

    def endless() -> Any:
        try:
            while True:
                yield BIG[:MIB]
                begun.set()
        finally:
            ended.set()

    async def run() -> None:
        endpoint = server.endpoint(part_size=PART)
        async with (
            AsyncClient(Config(environ={}), endpoints={"s3": endpoint}) as other,
            anyio.create_task_group() as group,
        ):
            group.start_soon(other.put_object, f"s3/{bucket}/endless", endless())
            await anyio.to_thread.run_sync(begun.wait, 60)
            group.cancel_scope.cancel()

    anyio.run(run)
    until = time.monotonic() + 60
    while client.call("s3", "list_uploads", bucket=bucket) and time.monotonic() < until:
        ended.wait(0.05)
    assert client.call("s3", "list_uploads", bucket=bucket) == []
    assert client.list_objects(f"s3/{bucket}").read().count == 0


@pytest.mark.peer
def test_a_wrong_secret_and_a_wrong_checksum_are_refused(versitygw: Server) -> None:
    wrong = {"s3": versitygw.endpoint(), "thief": versitygw.endpoint(f"AKIATESTTESTTEST:{'x' * 30}")}
    wrong["stranger"] = versitygw.endpoint("AKIANOBODY:" + "x" * 30)
    with Client(Config(environ={}), endpoints=wrong) as client:
        client.call("s3", "create_bucket", bucket="guarded")
        for endpoint, code in (("thief", "SignatureDoesNotMatch"), ("stranger", "XAdminUserNotFound")):
            with pytest.raises(e.AuthenticationError) as caught:
                client.put_object(f"{endpoint}/guarded/k", b"data")
            assert caught.value.code == code
            assert "x" * 30 not in f"{caught.value!r}{caught.value.__dict__}"
            assert client.healthcheck(endpoint).status in {"misconfigured", "unhealthy"}
        bad = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
        with pytest.raises(e.BadRequestError) as caught:
            client.put_object("s3/guarded/k", b"data", extra={"ChecksumSHA256": bad})
        assert caught.value.code in {"BadDigest", "XAmzContentChecksumMismatch", "InvalidRequest"}
        good = base64.b64encode(hashlib.sha256(b"data").digest()).decode()
        assert client.put_object("s3/guarded/k", b"data", extra={"ChecksumSHA256": good}).checksums["sha256"] == good
        url = client.presign_object("s3/guarded/k").url
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(url[:-4] + "0000")
