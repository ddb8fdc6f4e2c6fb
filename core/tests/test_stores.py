"""Several stores under one name: which one is asked, what if it fails, and where things are written."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig, StoreConfig, load_config
from ipfs_accel import errors as e
from ipfs_accel._resilience.places import Place

from .cli.shelf import Shelf


@pytest.fixture
def shelves() -> dict[str, Shelf]:
    made = {name: Shelf(name) for name in ("left", "middle", "right")}
    for name, shelf in made.items():
        shelf.objects["b", "k"] = name.encode()
    return made


def client_of(shelves: dict[str, Shelf], **settings: Any) -> Client:
    config = Config(environ={}, stores={"all": StoreConfig(endpoints=tuple(shelves), **settings)})
    return Client(config, plugins=shelves.values())


def read(client: Client, times: int = 1) -> list[str]:
    return [(client.get_object("all/b/k").data or b"").decode() for _time in range(times)]


def test_the_first_that_is_listed_serves_until_it_fails(shelves: dict[str, Shelf]) -> None:
    with client_of(shelves) as client:
        assert read(client, 2) == ["left", "left"]
        shelves["left"].failure = e.APIConnectionError("gone", sent=False)
        shelves["left"].failure.retryable = False
        assert client.head_object("all/b/k").endpoint == "middle"
        shelves["left"].failure = None
        assert client.head_object("all/b/k").endpoint == "left"


def test_each_serves_in_turn(shelves: dict[str, Shelf]) -> None:
    with client_of(shelves, policy="round_robin") as client:
        assert [client.head_object("all/b/k").endpoint for _time in range(4)] == ["left", "middle", "right", "left"]


def test_the_least_busy_serves(shelves: dict[str, Shelf]) -> None:
    with client_of(shelves, policy="least_busy") as client:
        client.head_object("all/b/k")
        store = client._core.stores["all"]
        busy = {name: Place() for name in ("left", "middle")}
        store.begin("left", busy["left"])
        assert client.head_object("all/b/k").endpoint == "middle"
        store.begin("middle", busy["middle"])
        assert client.head_object("all/b/k").endpoint == "right"
        for name, seconds in {"left": 60.0, "middle": 0.0}.items():
            busy[name].leave()
            store.took(name, seconds)
        # All are idle again: the faster ones come first.
        assert store.order(Place())[-1] == "left"
        assert _calls_at(client) == set()


def _calls_at(client: Client) -> set[str]:
    """The endpoints of the store at which calls count as being under way."""
    return {name for name, load in client._core.stores["all"]._loads.items() if load.calls}


def test_calls_that_begin_at_once_go_to_different_ones(shelves: dict[str, Shelf]) -> None:
    served: list[str] = []
    all_are_there = threading.Barrier(3)

    class Watched(Shelf):
        def _find(self, bucket: str, key: str) -> bytes:
            served.append(self.name)
            all_are_there.wait(60)
            return b""

    with client_of({name: Watched(name) for name in shelves}, policy="least_busy") as client:
        threads = [threading.Thread(target=client.head_object, args=("all/b/k",)) for _ in shelves]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(served) == ["left", "middle", "right"]
        assert _calls_at(client) == set()


def test_a_call_that_only_waits_to_begin_is_nowhere(shelves: dict[str, Shelf]) -> None:
    with client_of(shelves, policy="least_busy") as client:
        client.head_object("all/b/k")
        waiting = client.stream_object("all/b/k")
        assert _calls_at(client) == set()
        assert waiting.read().key == "k"
        for shelf in shelves.values():
            shelf.failure = e.NotFoundError("gone", status=404)
        with pytest.raises(e.NotFoundError):
            client.head_object("all/b/k")
        assert _calls_at(client) == set()


GOES_ON: list[tuple[e.APIError, bool]] = [
    (e.APIConnectionError("x"), True),
    (e.APITimeoutError("x", phase="read"), True),
    (e.APITimeoutError("x", phase="total"), False),
    (e.InternalServerError("x", status=500), True),
    (e.OverloadedError("x", status=503), True),
    (e.RateLimitError("x", status=503, code="SlowDown"), True),
    (e.RateLimitError("x", status=429), False),
    (e.NotSupportedByServerError("x", status=501), False),
    (e.NotFoundError("x", status=404), False),
    (e.PermissionDeniedError("x", status=403), False),
    (e.PreconditionFailedError("x", status=412), False),
]


@pytest.mark.parametrize(("failure", "goes_on"), GOES_ON, ids=lambda value: repr(value))
def test_only_what_is_the_endpoints_fault_goes_to_another(
    failure: e.APIError, goes_on: bool, shelves: dict[str, Shelf]
) -> None:
    failure.retryable = False  # whether it is tried again at the same place is another question
    shelves["left"].failure = failure
    with client_of(shelves) as client:
        if goes_on:
            assert client.head_object("all/b/k").endpoint == "middle"
        else:
            with pytest.raises(type(failure)):
                client.head_object("all/b/k")


def test_if_all_fail_the_last_failure_says_what_was_tried(shelves: dict[str, Shelf]) -> None:
    for name, shelf in shelves.items():
        shelf.failure = e.InternalServerError(f"{name} is ill", status=500)
        shelf.failure.retryable = False
    with client_of(shelves) as client, pytest.raises(e.InternalServerError, match="right is ill") as caught:
        client.head_object("all/b/k")
    assert caught.value.endpoint == "right"
    assert "tried before: left: left is ill; middle: middle is ill" in caught.value.__notes__


def test_what_is_missing_is_looked_for_elsewhere_if_asked(shelves: dict[str, Shelf]) -> None:
    del shelves["left"].objects["b", "k"]
    with client_of(shelves, seek_missing=True) as client:
        assert client.head_object("all/b/k").endpoint == "middle"
    with client_of(shelves) as client, pytest.raises(e.NotFoundError):
        client.head_object("all/b/k")


def test_writes_go_to_any(shelves: dict[str, Shelf]) -> None:
    broken = e.APIConnectionError("gone")
    broken.retryable = False
    shelves["left"].failure = broken
    with client_of(shelves) as client:
        assert client.put_object("all/b/new", b"1").endpoint == "middle"
        # What may have happened would meet itself elsewhere.
        with pytest.raises(e.APIConnectionError):
            client.put_object("all/b/new", b"1", if_none_match="*")
        # What can be read only once cannot be sent twice.
        with pytest.raises(e.APIConnectionError):
            client.put_object("all/b/new", iter([b"1"]))
        client.delete_object("all/b/new")
    assert ("b", "new") not in shelves["middle"].objects


def test_writes_go_to_the_first(shelves: dict[str, Shelf]) -> None:
    with client_of(shelves, writes="first", policy="round_robin") as client:
        assert [client.put_object("all/b/new", b"1").endpoint for _time in range(3)] == ["left"] * 3
        shelves["left"].failure = e.InternalServerError("ill", status=500)
        shelves["left"].failure.retryable = False
        with pytest.raises(e.InternalServerError):
            client.put_object("all/b/new", b"1")


def test_writes_go_to_all_and_a_failure_says_where_they_are(shelves: dict[str, Shelf], tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"everywhere")
    with client_of(shelves, writes="all") as client:
        assert client.put_object("all/b/new", tmp_path / "f").endpoint == "left"
        assert {shelf.objects["b", "new"] for shelf in shelves.values()} == {b"everywhere"}
        client.copy_object("all/b/new", "all/b/copy")
        assert {shelf.objects["b", "copy"] for shelf in shelves.values()} == {b"everywhere"}
        client.delete_objects("all/b", ["copy"])
        assert not any(("b", "copy") in shelf.objects for shelf in shelves.values())
        with pytest.raises(e.InvalidRequestError, match="read only once"):
            client.put_object("all/b/new", iter([b"1"]))
        shelves["middle"].failure = e.InternalServerError("ill", status=500)
        shelves["middle"].failure.retryable = False
        with pytest.raises(e.InternalServerError, match="ill") as caught:
            client.put_object("all/b/new", b"2")
    assert (caught.value.endpoint, caught.value.hint) == ("middle", "done at: left; not done at: middle, right")


def test_streams_and_files_go_elsewhere_too(shelves: dict[str, Shelf], tmp_path: Path) -> None:
    broken = e.APIConnectionError("gone")
    broken.retryable = False
    with client_of(shelves) as client:
        assert [event.key for event in client.list_objects("all/b")] == ["k"]
        shelves["left"].failure = broken
        assert client.download_object("all/b/k", tmp_path / "f").endpoint == "middle"
        client.download_objects("all/b/", tmp_path)
        assert (tmp_path / "k").read_bytes() == b"middle"
        assert "b/k" in client.presign_object("all/b/k").url


def test_the_asynchronous_client_does_the_same(shelves: dict[str, Shelf]) -> None:
    broken = e.APIConnectionError("gone")
    broken.retryable = False
    shelves["left"].failure = broken
    config = Config(environ={}, stores={"all": StoreConfig(endpoints=list(shelves), writes="all")})  # type: ignore[arg-type]

    async def run() -> None:
        async with AsyncClient(config, plugins=shelves.values()) as client:
            assert (await client.head_object("all/b/k")).endpoint == "middle"
            with pytest.raises(e.APIConnectionError) as caught:
                await client.put_object("all/b/k", b"1")
            assert "not done at: left, middle, right" in (caught.value.hint or "")

    anyio.run(run)


def test_stores_come_from_the_file_too(tmp_path: Path, shelves: dict[str, Shelf]) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[stores.all]\nendpoints = ["middle", "right"]\npolicy = "round_robin"\nseek_missing = true\n')
    with Client(load_config(file, {}), plugins=shelves.values()) as client:
        assert [client.head_object("all/b/k").endpoint for _time in range(2)] == ["middle", "right"]
    file.write_text('[stores.all]\nendpoints = ["left"]\npolicy = "roundrobin"\n')
    with pytest.raises(e.ConfigError, match="policy"):
        load_config(file, {})
    with pytest.raises(e.ConfigError, match="endpoints: 'a' is named twice"):
        StoreConfig(endpoints=("a", "a"))
    both = Config(environ={}, stores={"left": StoreConfig(endpoints=("right",))}, endpoints={"left": EndpointConfig()})
    with Client(both, plugins=shelves.values()) as client, pytest.raises(e.ConfigError, match="both a store and"):
        client.head_object("left/b/k")
