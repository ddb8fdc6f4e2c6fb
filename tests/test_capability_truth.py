"""What capabilities say of an endpoint is what its calls do: of every installed backend, at every kind of place.

No connection can be made, so that a call which is not refused fails for that, or for the model that no server has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ipfs_accel import Client, Config, EndpointConfig, RetryConfig
from ipfs_accel import errors as e
from ipfs_accel.hookspecs import OPERATIONS

NOWHERE = "http://127.0.0.1:9"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)
WAV = b"RIFF\0\0\0\0WAVEfmt " + bytes(32)

PLACES: dict[str, EndpointConfig] = {
    **{each.name: EndpointConfig(key="sk-truth") for each in entry_points(group="ipfs_accel.backends")},
    "s3": EndpointConfig(base_url=NOWHERE, key="id:secret", options={"models": "bucket"}),
    "azure": EndpointConfig(base_url=NOWHERE, key="sk-truth"),
    "openai-like": EndpointConfig(backend="openai", base_url=NOWHERE, key="sk-truth"),
    "claude-like": EndpointConfig(backend="claude", base_url=NOWHERE, key="sk-truth"),
    "hf-dedicated": EndpointConfig(backend="hf", base_url=NOWHERE, key="sk-truth"),
    "vertex": EndpointConfig(
        backend="gemini",
        base_url="https://aiplatform.googleapis.com",
        key="sk-truth",
        options={"vertex": True, "project": "p"},
    ),
}

CALLS: dict[str, Callable[[Client, str, Path], Any]] = {
    "chat": lambda client, at, _: client.chat(f"{at}/m", "hi"),
    "stream": lambda client, at, _: client.stream(f"{at}/m", "hi").read(),
    "complete": lambda client, at, _: client.complete(f"{at}/m", "hi"),
    "stream_complete": lambda client, at, _: client.stream_complete(f"{at}/m", "hi").read(),
    "embed": lambda client, at, _: client.embed(f"{at}/m", "hi"),
    "rerank": lambda client, at, _: client.rerank(f"{at}/m", "hi", ["a"]),
    "tokenize": lambda client, at, _: client.tokenize(f"{at}/m", "hi"),
    "detokenize": lambda client, at, _: client.detokenize(f"{at}/m", [1]),
    "count_tokens": lambda client, at, _: client.count_tokens(f"{at}/m", "hi"),
    "classify": lambda client, at, _: client.classify(f"{at}/m", "hi"),
    "moderate": lambda client, at, _: client.moderate(f"{at}/m", "hi"),
    "generate_image": lambda client, at, _: client.generate_image(f"{at}/m", "a cat"),
    "stream_image": lambda client, at, _: client.stream_image(f"{at}/m", "a cat").read(),
    "edit_image": lambda client, at, _: client.edit_image(f"{at}/m", PNG, "a hat"),
    "stream_image_edit": lambda client, at, _: client.stream_image_edit(f"{at}/m", PNG, "a hat").read(),
    "vary_image": lambda client, at, _: client.vary_image(f"{at}/m", PNG),
    "transcribe": lambda client, at, _: client.transcribe(f"{at}/m", WAV),
    "stream_transcribe": lambda client, at, _: client.stream_transcribe(f"{at}/m", WAV).read(),
    "translate": lambda client, at, _: client.translate(f"{at}/m", WAV),
    "speak": lambda client, at, _: client.speak(f"{at}/m", "hi", voice="v"),
    "stream_speak": lambda client, at, _: client.stream_speak(f"{at}/m", "hi", voice="v").read(),
    "predict": lambda client, at, _: client.predict(f"{at}/m", {"x": np.zeros((1, 2), np.float32)}),
    "list_models": lambda client, at, _: client.list_models(at),
    "show_model": lambda client, at, _: client.show_model(f"{at}/m"),
    "healthcheck": lambda client, at, _: client.healthcheck(at),
    "pull_model": lambda client, at, _: client.pull_model(f"{at}/m"),
    "push_model": lambda client, at, _: client.push_model(f"{at}/m"),
    "create_model": lambda client, at, _: client.create_model(f"{at}/m", base="b"),
    "load_model": lambda client, at, _: client.load_model(f"{at}/m"),
    "unload_model": lambda client, at, _: client.unload_model(f"{at}/m"),
    "running_models": lambda client, at, _: client.running_models(at),
    "copy_model": lambda client, at, _: client.copy_model(f"{at}/m", f"{at}/n"),
    "delete_model": lambda client, at, _: client.delete_model(f"{at}/m"),
    "upload_file": lambda client, at, _: client.upload_file(at, b"{}", name="a.jsonl"),
    "list_files": lambda client, at, _: client.list_files(at),
    "get_file": lambda client, at, _: client.get_file(at, "f"),
    "download_file": lambda client, at, folder: client.download_file(at, "f", folder / "f"),
    "delete_file": lambda client, at, _: client.delete_file(at, "f"),
    "create_batch": lambda client, at, _: client.create_batch(f"{at}/m", {"a": "hi"}),
    "list_batches": lambda client, at, _: client.list_batches(at),
    "get_batch": lambda client, at, _: client.get_batch(at, "b"),
    "batch_results": lambda client, at, _: client.batch_results(at, "b").read(),
    "cancel_batch": lambda client, at, _: client.cancel_batch(at, "b"),
    "delete_batch": lambda client, at, _: client.delete_batch(at, "b"),
    "put_object": lambda client, at, _: client.put_object(f"{at}/b/k", b"x"),
    "get_object": lambda client, at, _: client.get_object(f"{at}/b/k"),
    "download_object": lambda client, at, folder: client.download_object(f"{at}/b/k", folder / "k"),
    "head_object": lambda client, at, _: client.head_object(f"{at}/b/k"),
    "list_objects": lambda client, at, _: list(client.list_objects(f"{at}/b")),
    "copy_object": lambda client, at, _: client.copy_object(f"{at}/b/k", f"{at}/b/l"),
    "delete_object": lambda client, at, _: client.delete_object(f"{at}/b/k"),
    "delete_objects": lambda client, at, _: client.delete_objects(f"{at}/b", ["k"]),
    "presign_object": lambda client, at, _: client.presign_object(f"{at}/b/k"),
    "request": lambda client, at, _: client.request(at, "GET", "/x"),
    "stream_request": lambda client, at, _: client.stream_request(at, "GET", "/x").read(),
}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    config = Config(environ={}, proxy=NOWHERE, on_unsupported="warn", retry=RetryConfig(attempts=1))
    with Client(config, endpoints=PLACES) as client:
        yield client


def outcome(client: Client, place: str, operation: str, folder: Path) -> Exception | None:
    try:
        CALLS[operation](client, place, folder)
    except e.AccelError as error:
        return error
    return None


@pytest.mark.filterwarnings("ignore:open_binary:DeprecationWarning")  # the word of the package with the encodings
@pytest.mark.filterwarnings("ignore::ipfs_accel.UnsupportedParameterWarning")  # not every server wants a voice
@pytest.mark.parametrize("place", PLACES)
def test_an_endpoint_has_what_it_says_and_refuses_the_rest(place: str, client: Client, tmp_path: Path) -> None:
    for operation in OPERATIONS:
        error = outcome(client, place, operation, tmp_path)
        if client.capabilities(place).supports(operation).value == "yes":
            assert error is None or isinstance(error, e.APIConnectionError), (operation, error)
        else:
            assert isinstance(error, e.UnsupportedOperationError), (operation, error)
            assert f"'{operation}'" in str(error)
