"""The real server that other tests stand on: that it answers as its protocol sheet says, asked without our own code."""

from __future__ import annotations

import array
import base64
import json
import os
import select
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 4, "seed": 1}


def ask(url: str, body: Any = None, key: str | None = None) -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=100) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def get_json(url: str, body: Any = None, key: str | None = None) -> Any:
    status, content = ask(url, body, key)
    assert status == 200, content
    return json.loads(content)


def error_of(url: str, body: Any = None, key: str | None = None) -> tuple[int, str]:
    status, content = ask(url, body, key)
    error = json.loads(content)["error"]
    assert error["code"] == status
    return status, error["type"]


def test_chat(llama: Any) -> None:
    answer = get_json(f"{llama.url}/v1/chat/completions", CHAT)
    assert answer["model"] == "tiny"
    assert answer["usage"]["completion_tokens"] <= 4
    again = get_json(f"{llama.url}/v1/chat/completions", CHAT)
    assert again["choices"][0]["message"] == answer["choices"][0]["message"]


def test_stream(llama: Any) -> None:
    body = CHAT | {"stream": True, "stream_options": {"include_usage": True}}
    status, content = ask(f"{llama.url}/v1/chat/completions", body)
    assert status == 200
    *events, done = content.decode().removesuffix("\n\n").split("\n\n")
    assert done == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": None}
    assert chunks[-2]["choices"][0]["delta"] == {}
    assert chunks[-2]["choices"][0]["finish_reason"] in {"stop", "length"}
    assert chunks[-1]["choices"] == []
    assert "usage" in chunks[-1]


def test_completion(llama: Any) -> None:
    answer = get_json(f"{llama.url}/v1/completions", {"prompt": "hello", "max_tokens": 3, "seed": 1})
    assert answer["object"] == "text_completion"


def test_embeddings_as_floats_and_base64(llama: Any) -> None:
    url = f"{llama.url}/v1/embeddings"
    floats = get_json(url, {"input": ["a", "b"]})["data"]
    assert [(item["index"], len(item["embedding"])) for item in floats] == [(0, 64), (1, 64)]
    packed = get_json(url, {"input": "a", "encoding_format": "base64"})["data"][0]["embedding"]
    assert array.array("f", base64.b64decode(packed)).tolist() == pytest.approx(floats[0]["embedding"], abs=1e-6)


def test_what_it_tells_of_itself(llama: Any) -> None:
    assert get_json(f"{llama.url}/health") == {"status": "ok"}
    assert [model["id"] for model in get_json(f"{llama.url}/v1/models")["data"]] == ["tiny"]
    assert get_json(f"{llama.url}/props")["total_slots"] == 2
    assert [slot["n_ctx"] for slot in get_json(f"{llama.url}/slots")] == [2048, 2048]
    assert b"llamacpp:prompt_tokens_total" in ask(f"{llama.url}/metrics")[1]
    assert len(get_json(f"{llama.url}/tokenize", {"content": "hello world"})["tokens"]) > 1
    assert error_of(f"{llama.url}/nowhere") == (404, "not_found_error")


@pytest.mark.parametrize("key", [None, "sk-wrong"])
def test_a_key_is_wanted(llama_keyed: Any, key: str | None) -> None:
    assert error_of(f"{llama_keyed.url}/v1/models", key=key) == (401, "authentication_error")
    assert get_json(f"{llama_keyed.url}/health", key=key) == {"status": "ok"}


@pytest.mark.parametrize("key", ["sk-test-one", "sk-test-two"])
def test_either_key_opens(llama_keyed: Any, key: str) -> None:
    assert get_json(f"{llama_keyed.url}/v1/models", key=key)["object"] == "list"


def test_what_was_not_switched_on(llama_plain: Any) -> None:
    assert error_of(f"{llama_plain.url}/v1/embeddings", {"input": "a"}) == (501, "not_supported_error")
    assert error_of(f"{llama_plain.url}/metrics") == (501, "not_supported_error")


def test_a_prompt_beyond_the_context(llama_plain: Any) -> None:
    body = CHAT | {"messages": [{"role": "user", "content": "hello " * 300}]}
    status, content = ask(f"{llama_plain.url}/v1/chat/completions", body)
    error = json.loads(content)["error"]
    assert (status, error["type"]) == (400, "exceed_context_size_error")
    assert error["n_prompt_tokens"] > error["n_ctx"] == 256


OWNER = """
import signal, subprocess, sys
server = subprocess.Popen([sys.executable, *sys.argv[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
server.stdout.readline()
print(server.pid, flush=True)
signal.pause()
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux can wait for a process that is not a child")
def test_it_ends_with_whoever_started_it(llama: Any, tiny_gguf: Path) -> None:
    script = Path(__file__).parent / "serve_llama.py"
    command = [sys.executable, "-c", OWNER, str(script), str(tiny_gguf), "{}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as owner:
        assert owner.stdout is not None
        server = os.pidfd_open(int(owner.stdout.readline()))
        try:
            owner.send_signal(signal.SIGKILL)
            poll = select.poll()
            poll.register(server, select.POLLIN)
            assert poll.poll(100_000), "the server outlived its owner"
        finally:
            os.close(server)
