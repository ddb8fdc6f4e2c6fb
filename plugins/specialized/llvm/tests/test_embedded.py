"""Models in this process, on llama.cpp's real engine."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, Client, EndpointConfig
from ipfs_accel import errors as e
from ipfs_accel_llvm import _engine
from ipfs_accel_llvm._gguf import context_length, metadata

from conftest import deaf_port

pytest.importorskip("xllamacpp", reason="xllamacpp, the engine, has no wheel for this platform")

SEEDED: dict[str, Any] = {"max_tokens": 8, "seed": 5}


@pytest.fixture
def model(tiny_gguf: Path) -> str:
    return f"llvm/{tiny_gguf}"


@pytest.fixture
def client(tiny_gguf: Path, tmp_path: Path) -> Iterator[Client]:
    options = {"models": {"tiny": str(tiny_gguf)}, "models_dir": str(tmp_path)}
    (tmp_path / "stored.gguf").symlink_to(tiny_gguf)
    endpoints = {
        "llvm": EndpointConfig(options=options),
        "server": EndpointConfig(backend="llvm", base_url="http://127.0.0.1:1", options=options),
    }
    with Client(endpoints=endpoints) as client:
        yield client


def test_everything_works_without_a_server(client: Client, model: str) -> None:
    whole = client.chat(model, "Hello", **SEEDED)
    assert whole.usage.output_tokens
    assert client.stream(model, "Hello", **SEEDED).read().choices == whole.choices
    assert client.complete(model, "Hello", **SEEDED).text
    assert len(client.embed(model, ["a", "b"]).vectors) == 2
    tokens = client.tokenize(model, "hello world").tokens
    assert client.detokenize(model, tokens).text == "hello world"
    assert client.count_tokens(model, "Hello").input_tokens == whole.usage.input_tokens
    assert client.show_model(model).features["tools"].value == "yes"
    assert client.show_model(model).context_window == 2048


@pytest.mark.parametrize("name", ["llvm/tiny", "llvm/stored", "llvm/stored.gguf", "server/tiny"])
def test_a_file_has_several_names(name: str, client: Client) -> None:
    assert client.chat(name, "Hello", **SEEDED).usage.output_tokens


@pytest.mark.parametrize("name", ["stored", "stored.gguf", "{path}"])
def test_a_name_is_the_business_of_a_server_that_the_user_named(name: str, client: Client, tiny_gguf: Path) -> None:
    with pytest.raises(e.APIConnectionError, match=r"127\.0\.0\.1:1"):
        client.chat(f"server/{name.replace('{path}', str(tiny_gguf))}", "Hello")


def test_one_engine_serves_all_clients_and_threads(client: Client, model: str) -> None:
    before = len(_engine._engines)
    client.chat(model, "Hello", **SEEDED)

    def use() -> None:
        with Client() as other:
            other.chat(model, "Hello", **SEEDED)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(_engine._engines) <= before + 2


WORD = "the "  # one token


def engines(path: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Client:
    """A client whose engines are its own; `context` makes them others than those of other tests."""
    monkeypatch.setattr(_engine, "_engines", {})
    return Client(endpoints={"own": EndpointConfig(backend="llvm", options={"models": {"m": str(path)}, **options})})


@pytest.mark.parametrize("options", [{}, {"context": 1536, "parallel": 1}])
def test_vectors_are_made_of_texts_up_to_the_context(
    options: dict[str, Any], tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = options.get("context", 2048)
    with engines(tiny_gguf, monkeypatch, **options) as client:
        answer = client.embed("own/m", [WORD * (context - 8), "hi", WORD * 600])
        assert [len(vector) for vector in answer.vectors] == [64, 64, 64]
        assert (answer.usage.input_tokens or 0) > context
        with pytest.raises(e.ContextLengthExceededError) as caught:
            client.embed("own/m", ["hi", WORD * (context + 8)])
    assert "option context" in (caught.value.hint or "")
    assert (caught.value.attempts, caught.value.retryable) == (1, False)


def test_ranks_are_made_of_texts_up_to_the_context(tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with engines(tiny_gguf, monkeypatch, pooling="rank") as client:
        answer = client.rerank("own/m", "q", [WORD * 1500, "b"])
        assert sorted([each.index for each in answer.results]) == [0, 1]
        with pytest.raises(e.ContextLengthExceededError) as caught:
            client.rerank("own/m", "q", [WORD * 2100])
    assert "option context" in (caught.value.hint or "")


def test_an_engine_that_embeds_does_everything_and_one_that_chats_stays_small(
    tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with engines(tiny_gguf, monkeypatch) as client:
        client.embed("own/m", "hi")
        client.chat("own/m", "hi", **SEEDED)
        assert len(_engine._engines) == 1
    with engines(tiny_gguf, monkeypatch) as client:
        client.chat("own/m", "hi", **SEEDED)
        client.embed("own/m", "hi")
        client.embed("own/m", WORD * 1000)
        assert len(_engine._engines) == 2
    with engines(tiny_gguf, monkeypatch, context=256) as client:  # which needs no longer pieces for vectors
        client.chat("own/m", "hi", **SEEDED)
        client.embed("own/m", WORD * 200)
        assert len(_engine._engines) == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("llvm/no/such.gguf", r"cannot read .*such\.gguf: No such file"),
        ("llvm/{tmp}/text.gguf", "is not a GGUF file"),
        ("llvm/{tmp}/cut.gguf", "cannot load"),
    ],
)
def test_files_that_are_no_models(name: str, message: str, client: Client, tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("hello")
    (tmp_path / "cut.gguf").write_bytes(b"GGUF" + b"\0" * 100)
    with pytest.raises(e.InvalidRequestError, match=message):
        client.chat(name.replace("{tmp}", str(tmp_path)), "Hello")


def test_the_engines_key_does_not_show(client: Client, model: str) -> None:
    client.chat(model, "Hello", **SEEDED)
    for engine in _engine._engines.values():
        assert engine.key not in repr(engine)
        assert engine.key not in repr(client._core._targets)
    with pytest.raises(e.BadRequestError) as caught:
        client.chat(model, "Hello", extra={"grammar": "root ::= ((("})
    for engine in _engine._engines.values():
        assert engine.key not in pickle.dumps(caught.value).decode("latin-1")


def test_models_and_health(client: Client) -> None:
    names = [each.id for each in client.list_models("llvm")]
    assert names == ["stored", "tiny"]
    health = client.healthcheck("llvm")
    assert health.ok
    assert "in process" in (health.server or "")
    assert client.healthcheck("server").status == "unreachable"


def test_an_endpoint_of_vllm_is_a_server_and_nothing_else(tiny_gguf: Path) -> None:
    with (
        deaf_port() as port,
        Client(endpoints={"vllm": EndpointConfig(base_url=f"http://127.0.0.1:{port}")}) as client,
    ):
        assert client.healthcheck("vllm").status == "unreachable"
        with pytest.raises(e.APIConnectionError):
            client.chat(f"vllm/{tiny_gguf}", "Hi", max_tokens=1)
    with (
        pytest.raises(e.ConfigError, match="models_dir"),
        Client(endpoints={"vllm": EndpointConfig(options={"models_dir": str(tiny_gguf.parent)})}) as client,
    ):
        client.list_models("vllm")


def test_the_calls_of_llama_cpp(client: Client, tiny_gguf: Path) -> None:
    path = str(tiny_gguf)
    assert client.call("llvm", "props", model=path)["total_slots"] == 2
    assert len(client.call("llvm", "slots", model=path)) == 2
    assert "llamacpp:" in client.call("llvm", "metrics", model=path)
    assert client.call("llvm", "lora_adapters", model=path) == []
    prompt = client.call("llvm", "apply_template", model=path, messages=[{"role": "user", "content": "hi"}])["prompt"]
    assert "hi" in prompt
    assert client.call("llvm", "completion", model=path, prompt="hi", n_predict=3)["tokens_predicted"] == 3
    with pytest.raises(e.NotSupportedByServerError):
        client.call("llvm", "infill", model=path, input_prefix="a", input_suffix="b")


def test_what_the_server_cannot_is_remembered(client: Client, llama_plain: Any) -> None:
    with Client(endpoints={"plain": EndpointConfig(backend="llvm", base_url=llama_plain.url)}) as other:
        assert str(other.supports("plain/x", "embed")) == "yes (hook)"
        with pytest.raises(e.NotSupportedByServerError):
            other.embed("plain/x", "a")
        assert str(other.supports("plain/x", "embed")) == "no (server)"


def test_the_head_of_a_file_is_read(tiny_gguf: Path, tmp_path: Path) -> None:
    assert context_length(tiny_gguf) == 2048
    assert metadata(tiny_gguf)["general.architecture"] == "llama"
    cut = tmp_path / "cut.gguf"
    for size in (0, 3, 30, 300):
        cut.write_bytes(tiny_gguf.read_bytes()[:size])
        assert context_length(cut) is None


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_the_same_awaited(model: str) -> None:
    async with AsyncClient() as client:
        reply = await client.chat(model, "Hello", **SEEDED)
        assert reply.usage.output_tokens
        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(client.embed, model, "text")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_is_told_and_the_parent_goes_on(model: str) -> None:
    program = f"""
import os
import sys
from ipfs_accel import Client
from ipfs_accel.errors import ConfigError
client = Client()
client.chat({model!r}, "Hello", max_tokens=2)
child = os.fork()
if child == 0:
    try:
        client.chat({model!r}, "Hello", max_tokens=2)
    except ConfigError as error:
        sys.exit(7 if "spawn" in error.hint else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
client.chat({model!r}, "Hello", max_tokens=2)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
