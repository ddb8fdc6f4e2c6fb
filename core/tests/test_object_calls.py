"""Objects: addresses, options, files below a folder, keys of several parts, and what stops an abandoned transfer."""

from __future__ import annotations

import io
import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig
from ipfs_accel import errors as e
from ipfs_accel._config.paths import safe_join
from ipfs_accel.plans import Job
from ipfs_accel.types import ObjectInfo, ObjectPrefix, Timeout

from .cli.shelf import Shelf, seen


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def client(shelf: Shelf) -> Iterator[Client]:
    with Client(Config(environ={}), plugins=[shelf]) as client:
        yield client


def test_addresses_and_options_reach_the_backend(client: Client, shelf: Shelf, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    info = client.put_object(
        "shelf/b/a/../k",
        b"data",
        metadata={"x": "1"},
        if_none_match="*",
        checksum="crc32",
        content_type="text/plain",
        on_upload=lambda done, total: told.append((done, total)),
    )
    assert (info.size, info.request_id, told) == (4, "r-1", [(4, 4)])
    assert {"bucket": "b", "key": "a/../k", "if_none_match": "*"}.items() <= seen(shelf.log[0]).items()
    assert client.get_object("shelf/b/a/../k").data == b"data"
    assert client.get_object("shelf/b/a/../k").request_id == "r-2"
    assert repr(client.get_object("shelf/b/a/../k")).endswith("data=<4 bytes>)")
    file = tmp_path / "f.json"
    file.write_bytes(b"{}")
    client.put_object("shelf/b/f", file)
    assert shelf.log[-2].source.media_type == "application/json"
    for source in (io.BytesIO(b"pieces"), iter([b"pie", b"ces"])):
        client.put_object("shelf/b/p", source)
        assert client.get_object("shelf/b/p").data == b"pieces"
    assert client.copy_object("shelf/b/p", "shelf/b/q").key == "q"
    client.delete_object("shelf/b/p")
    with pytest.raises(e.NotFoundError, match="no such object") as caught:
        client.head_object("shelf/b/p")
    assert caught.value.endpoint == "shelf"


def test_listings_come_lazily_and_say_whether_they_are_complete(client: Client, shelf: Shelf) -> None:
    shelf.objects = {("b", f"k{number}"): b"x" for number in range(3)}
    stream = client.list_objects("shelf/b/k", limit=2)
    assert [getattr(event, "key", None) for event in stream] == ["k0", "k1"]
    assert not stream.response.complete
    assert client.list_objects("shelf/b").read().complete
    assert list(client.list_objects("shelf")) == [ObjectPrefix(bucket="b")]


WRONG: list[tuple[str, Any, str]] = [
    ("put_object", ("shelf/b", b""), "endpoint/bucket/key"),
    ("put_object", ("shelf/b/k", b"", {"if_match": 7}), "if_match: expected str"),
    ("put_object", ("shelf/b/k", 5), "source: expected a path"),
    ("put_object", ("shelf/b/k", b"", {"ifmatch": "x"}), "unknown option"),
    ("put_object", ("shelf/b/k", io.StringIO("text")), "binary mode"),
    ("get_object", ("shelf/b/k", {"length": 0}), "length: has to be at least 1"),
    ("get_object", ("shelf/b/k", {"offset": -5, "length": 2}), "leave length out"),
    ("get_object", ("shelf/b/k", {"if_match": "a\nb"}), "control characters"),
    ("download_object", ("shelf/b/k", "."), "is a folder"),
    ("delete_objects", ("shelf/b", "key"), "delete_object takes one"),
    ("delete_objects", ("shelf/b/k", ["key"]), "endpoint/bucket"),
    ("copy_object", ("shelf/b/k", "other/b/k"), "another endpoint"),
    ("copy_object", ("shelf/b", "shelf/b/k"), "source: expected endpoint/bucket/key"),
    ("presign_object", ("shelf/b/k", {"method": "patch"}), "get, head, put"),
]


@pytest.mark.parametrize(("call", "arguments", "message"), WRONG)
def test_wrong_arguments_are_refused_before_anything_is_asked(
    call: str, arguments: Any, message: str, shelf: Shelf
) -> None:
    options = arguments[-1] if isinstance(arguments[-1], dict) else {}
    given = [each for each in arguments if each is not options]
    config = {"other": EndpointConfig(backend="shelf")}
    with (
        Client(Config(environ={}), endpoints=config, plugins=[shelf]) as client,
        pytest.raises(e.InvalidRequestError, match=message),
    ):
        getattr(client, call)(*given, **options)
    assert shelf.objects == {}


def test_keys_of_several_parts_come_from_as_many_variables(shelf: Shelf) -> None:
    for environ, key in (
        ({"SHELF_ID": "id", "SHELF_SECRET": "s3cret-s3cret"}, "id:s3cret-s3cret"),
        ({"SHELF_ID": "id"}, None),
        ({"MY_ID": "me", "MY_SECRET": "mine", "SHELF_ID": "a", "SHELF_SECRET": "b"}, "me:mine"),
    ):
        own = EndpointConfig(key_env="MY_ID:MY_SECRET") if "MY_ID" in environ else EndpointConfig()
        with Client(Config(environ=environ), endpoints={"shelf": own}, plugins=[shelf]) as client:
            client.put_object("shelf/b/k", b"")
        assert shelf.log.pop() == key


def test_what_is_deleted_and_what_not_is_told(client: Client) -> None:
    done = client.delete_objects("shelf/b", ["a", "locked"])
    assert (done.deleted, [each.key for each in done.failed]) == (("a",), ["locked"])


def test_a_presigned_request_does_not_show(client: Client) -> None:
    signed = client.presign_object("shelf/b/k", method="put", expires_in=60)
    assert (signed.method, signed.expires) == ("PUT", 60.0)
    assert "signature" in signed.url
    assert "signature" not in repr(signed)


def test_objects_become_files_below_a_folder(client: Client, shelf: Shelf, tmp_path: Path) -> None:
    shelf.objects = {("b", "m/one/a.bin"): b"a", ("b", "m/one/sub/b.bin"): b"b", ("b", "m/one/sub/"): b""}
    told: list[tuple[int, int]] = []
    found = client.download_objects("shelf/b/m/one/", tmp_path, on_progress=lambda *at: told.append(at))
    assert [info.verified for info in found] == ["sha256"] * 2
    assert told == [(1, 1)] * 2
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.bin")} == {"a.bin", "sub/b.bin"}
    shelf.objects["b", "m/one/../../../etc/passwd"] = b"no"
    with pytest.raises(e.InvalidRequestError, match="cannot be the name of a file"):
        client.download_objects("shelf/b/m/one/", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_keys_that_no_file_can_have_may_be_left_out(client: Client, shelf: Shelf, tmp_path: Path) -> None:
    bad = ("m/a\tb", "m/dir/", "m/f")  # a tab, a folder with content, and a file that other keys make a folder
    shelf.objects = {("b", key): b"x" for key in ("m/a", "m/f/x", *bad)}
    for key in bad:
        others = {each: data for each, data in shelf.objects.items() if each[1] not in bad or each[1] == key}
        kept, shelf.objects = shelf.objects, others
        with pytest.raises(e.InvalidRequestError, match="cannot be the name of a file"):
            client.download_objects("shelf/b/m/", tmp_path / "none")
        shelf.objects = kept
    assert not (tmp_path / "none").exists()
    found = client.download_objects("shelf/b/m/", tmp_path, skip_unnameable=True)
    assert [info.key for info in found] == ["m/a", "m/f/x"]
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == {"a", "f/x"}

    async def run() -> None:
        async with AsyncClient(Config(environ={}), plugins=[shelf]) as other:
            assert len(await other.download_objects("shelf/b/m/", tmp_path, skip_unnameable=True)) == 2

    anyio.run(run)


class StopError(Exception):
    """Of the caller's own."""


@pytest.mark.parametrize("error", [StopError("stop"), e.APIConnectionError("mine"), ValueError("mine")])
def test_what_the_callers_function_raises_comes_out_as_it_is(
    error: Exception, client: Client, shelf: Shelf, tmp_path: Path
) -> None:
    """It is neither the store's failure nor one that another attempt could mend."""

    def watch(_done: int, _total: int) -> None:
        raise error

    shelf.objects = {("b", "k"): b"data"}
    for call in (
        lambda: client.put_object("shelf/b/k", b"data", on_upload=watch),
        lambda: client.download_object("shelf/b/k", tmp_path / "k", on_progress=watch),
        lambda: client.download_objects("shelf/b/k", tmp_path / "all", on_progress=watch),
    ):
        before = len(shelf.log)
        with pytest.raises(type(error)) as caught:
            call()
        assert caught.value is error
        assert len(shelf.log) <= before + 3  # one attempt, which may be noted with its key; a listing before it

    async def run() -> None:
        async with AsyncClient(Config(environ={}), plugins=[shelf]) as other:
            with pytest.raises(type(error)) as caught:
                await other.put_object("shelf/b/k", b"data", on_upload=watch)
            assert caught.value is error

    anyio.run(run)


@pytest.mark.parametrize("name", ["", "/etc/passwd", "..", "a/../b", "a//b", "./a", "a\\b", "c:x", "a/\x00", "a\nb"])
def test_no_name_leads_out_of_a_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(e.InvalidRequestError, match="cannot be the name"):
        safe_join(tmp_path, name)


def test_no_link_leads_out_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "way").symlink_to(tmp_path)
    assert safe_join(tmp_path / "inside", "a/b.c") == tmp_path / "inside" / "a" / "b.c"
    with pytest.raises(e.InvalidRequestError, match="symbolic link"):
        safe_join(tmp_path / "inside", "way/out")


def test_the_asynchronous_client_does_the_same(shelf: Shelf, tmp_path: Path) -> None:
    async def run() -> None:
        async with AsyncClient(Config(environ={}), plugins=[shelf]) as client:
            await client.put_object("shelf/b/m/k", b"data")
            assert (await client.get_object("shelf/b/m/k")).data == b"data"
            assert (await client.head_object("shelf/b/m/k")).size == 4
            assert [event.key async for event in client.list_objects("shelf/b") if isinstance(event, ObjectInfo)]
            await client.copy_object("shelf/b/m/k", "shelf/b/copy")
            assert (await client.download_object("shelf/b/copy", tmp_path / "f")).verified == "sha256"
            await client.download_objects("shelf/b/m", tmp_path)
            assert (tmp_path / "m" / "k").read_bytes() == b"data"
            assert (await client.presign_object("shelf/b/m/k")).method == "GET"
            await client.delete_object("shelf/b/copy")
            assert (await client.delete_objects("shelf/b", ["m/k"])).deleted == ("m/k",)

    anyio.run(run)
    assert shelf.objects == {}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancelled_call_stops_its_thread(backend: str, shelf: Shelf) -> None:
    async def run() -> None:
        async with AsyncClient(Config(environ={}), plugins=[shelf]) as client, anyio.create_task_group() as group:
            group.start_soon(client.put_object, "shelf/b/slow", b"data")
            assert await anyio.to_thread.run_sync(shelf.hangs.wait, 30)
            group.cancel_scope.cancel()
        assert await anyio.to_thread.run_sync(shelf.stopped.wait, 30)

    anyio.run(run, backend=backend)
    assert shelf.objects == {}


def test_time_limits_hold_for_blocking_functions(client: Client, shelf: Shelf) -> None:
    with pytest.raises(e.APITimeoutError, match="within its time"):
        client.put_object("shelf/b/slow", b"data", timeout=0.01)
    with pytest.raises(e.APITimeoutError):
        client.put_object("shelf/b/slow", b"data", timeout=Timeout(total=0.01))
    assert shelf.stopped.is_set()


def test_a_job_can_be_asked() -> None:
    job = Job(until=time.perf_counter() + 60)
    job.report(1, 2)
    job.is_abandoned = True
    with pytest.raises(e.APITimeoutError, match="nobody waits") as caught:
        job.check()
    assert pickle.loads(pickle.dumps(caught.value)).phase == "abandoned"  # noqa: S301 - our own
