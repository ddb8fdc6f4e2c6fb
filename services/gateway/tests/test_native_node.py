"""The SDKs of Google and Ollama for Node, and Ollama's own server, at a gateway and behind it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx  # noqa: TID251 - a client that nobody here wrote
import pytest
from ipfs_accel import Client, Config, EndpointConfig, Message
from ipfs_accel.errors import OverloadedError, RateLimitError
from ipfs_accel.types import ChatResponse, Choice, Reasoning, ToolCall, Usage

from conftest import HERE, free_port, peer_node, started
from plugins.ollama.tests.ollama_build import ollama_program

from .stages import Stage, stage

pytestmark = pytest.mark.peer

GENAI, OLLAMA = "@google/genai@3.3.0", "ollama@0.6.4"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
FULL = ChatResponse(
    choices=(
        Choice(
            message=Message.assistant(
                Reasoning(text="Hm."), "Hello", ToolCall(id="call_a", name="weather", arguments='{"city":"Rome"}')
            ),
            finish_reason="tool_calls",
        ),
    ),
    usage=Usage(input_tokens=5, output_tokens=7),
)
BY_GENAI = """
import { GoogleGenAI } from "@google/genai";
const ai = new GoogleGenAI({ apiKey: "any", httpOptions: { baseUrl: process.env.GATEWAY } });
const model = "scripted/any:8b", told = {};
const tools = [{ functionDeclarations: [{ name: "weather", parametersJsonSchema: %(schema)s }] }];
const config = { tools, thinkingConfig: { includeThoughts: true }, systemInstruction: "Be brief." };
const whole = await ai.models.generateContent({ model, contents: "Hi", config });
told.whole = [whole.text, whole.functionCalls[0].args, whole.usageMetadata.totalTokenCount];
const chat = ai.chats.create({ model, config });
told.streamed = "";
for await (const piece of await chat.sendMessageStream({ message: "Hi" })) told.streamed += piece.text ?? "";
const result = { functionResponse: { id: "call_a", name: "weather", response: { output: "sunny" } } };
told.after = (await chat.sendMessage({ message: [result] })).text;
told.vectors = (await ai.models.embedContent({ model, contents: ["a", "b"] })).embeddings.map((each) => each.values);
for (const name of ["limit", "absent"]) {
  const asked = { model: name == "absent" ? "absent" : model, contents: "Hi" };
  await ai.models.generateContent(asked).catch((error) => { told[name] = [error.name, error.status]; });
}
await (async () => {
  for await (const piece of await ai.models.generateContentStream({ model, contents: "Hi" })) told.begun = piece.text;
})().catch((error) => { told.broken = String(error); });
console.log(JSON.stringify(told));
"""
BY_OLLAMA = """
import { Ollama } from "ollama";
const ollama = new Ollama({ host: process.env.GATEWAY });
const model = "scripted/any:8b", told = {}, messages = [{ role: "user", content: "Hi" }];
const tools = [{ type: "function", function: { name: "weather", parameters: %(schema)s } }];
const whole = await ollama.chat({ model, messages, tools });
told.whole = [whole.message.content, whole.message.thinking, whole.message.tool_calls[0].function.arguments, whole.eval_count];
told.streamed = "";
for await (const piece of await ollama.chat({ model, messages, stream: true })) told.streamed += piece.message.content;
const history = [...messages, whole.message, { role: "tool", tool_name: "weather", content: "sunny" }];
told.after = (await ollama.chat({ model, messages: history, tools })).message.content;
told.generated = (await ollama.generate({ model, prompt: "Hi" })).response;
told.vectors = (await ollama.embed({ model, input: ["a", "b"] })).embeddings;
told.listed = [(await ollama.list()).models, (await ollama.ps()).models, (await ollama.show({ model })).capabilities.length > 0];
for (const name of ["limit", "absent"]) {
  const asked = { model: name == "absent" ? "absent" : model, messages };
  await ollama.chat(asked).catch((error) => { told[name] = [error.name, error.status_code]; });
}
await (async () => {
  for await (const piece of await ollama.chat({ model, messages, stream: true })) told.begun = piece.message.content;
})().catch((error) => { told.broken = String(error); });
console.log(JSON.stringify(told));
"""
BROKEN = ["Hel", OverloadedError("too much", status=503)]
LIMIT = RateLimitError("slowly", status=429)


@pytest.fixture(scope="module")
def at() -> Iterator[Stage]:
    with stage() as found:
        yield found


def node(at: Stage, folder: Path, modules: Path, script: str) -> Any:
    """Run a script and return what it tells."""
    (folder / "node_modules").symlink_to(modules)
    (folder / "script.mjs").write_text(script % {"schema": json.dumps(SCHEMA)})
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "GATEWAY": at.url}
    done = subprocess.run(
        [shutil.which("node") or "node", "script.mjs"],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_googles_sdk_for_node(at: Stage, tmp_path: Path) -> None:
    modules = peer_node("google-genai", GENAI)
    at.plays(FULL, FULL, "It is sunny.", [[1.0], [2.0]], LIMIT, BROKEN)
    told = node(at, tmp_path, modules, BY_GENAI)
    assert told["whole"] == ["Hello", {"city": "Rome"}, 12]
    assert (told["streamed"], told["after"]) == ("Hello", "It is sunny.")
    assert told["vectors"] == [[1.0], [2.0]]
    assert (told["limit"], told["absent"]) == (["ApiError", 429], ["ApiError", 404])
    assert "too much" in told["broken"]
    _, asked, said, result = at.scripted.requests[2].messages
    assert asked == Message.user("Hi")
    assert (said.reasoning, said.text, said.tool_calls) == ("Hm.", "Hello", FULL.tool_calls)
    assert result == Message.tool("call_a", "sunny")


def test_ollamas_sdk_for_node(at: Stage, tmp_path: Path) -> None:
    modules = peer_node("ollama-js", OLLAMA)
    at.plays(FULL, FULL, "It is sunny.", FULL, [[1.0], [2.0]], LIMIT, BROKEN)
    told = node(at, tmp_path, modules, BY_OLLAMA)
    assert told["whole"] == ["Hello", "Hm.", {"city": "Rome"}, 7]
    assert (told["streamed"], told["after"], told["generated"]) == ("Hello", "It is sunny.", "Hello")
    assert told["vectors"] == [[1.0], [2.0]]
    assert told["listed"] == [[], [], True]
    assert (told["limit"], told["absent"]) == (["ResponseError", 429], ["ResponseError", 404])
    assert "too much" in told["broken"]
    asked, said, result = at.scripted.requests[2].messages
    assert asked == Message.user("Hi")
    assert (said.reasoning, said.text, said.tool_calls) == ("Hm.", "Hello", FULL.tool_calls)
    assert result == Message.tool("call_a", "sunny")


@pytest.fixture(scope="module")
def ollamas(tmp_path_factory: pytest.TempPathFactory, tiny_gguf: Path) -> Iterator[tuple[Path, str]]:
    """Ollama's program, and the URL of a server of it with the model `tiny`."""
    program = ollama_program(HERE / ".cache")
    home = tmp_path_factory.mktemp("ollama")
    port = free_port()
    environ = {
        "OLLAMA_HOST": f"127.0.0.1:{port}", "OLLAMA_MODELS": str(home / "models"), "HOME": str(home), "OLLAMA_NO_CLOUD": "1",
    }  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    command = ["env", *[f"{name}={value}" for name, value in environ.items()], str(program), "serve"]
    with started(command, f"{url}/api/version"):
        with Client(Config(environ={}), endpoints={"ollama": EndpointConfig(base_url=url)}) as client:
            client.create_model("ollama/tiny", files=tiny_gguf)
        yield program, url


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("lane", ["relay", "translate"])
def test_ollamas_own_server_answers(ollamas: tuple[Path, str], lane: str, stream: bool) -> None:
    own = {} if lane == "relay" else {"keep_alive": "5m"}
    endpoint = EndpointConfig(backend="ollama", base_url=ollamas[1], options=own)
    options = {"seed": 7, "temperature": 0.0, "num_predict": 8}
    body = {"messages": [{"role": "user", "content": "hello"}], "options": options, "stream": stream}
    with stage(real=endpoint) as at:
        found = httpx.post(f"{at.url}/api/chat", json={"model": "real/tiny", **body}, timeout=120)
    assert found.headers["x-ipfs-accel-lane"] == lane
    assert found.headers["x-ipfs-accel-target"] == "real/tiny"
    lines = [json.loads(line) for line in found.raise_for_status().text.splitlines()]
    direct = httpx.post(f"{ollamas[1]}/api/chat", json={"model": "tiny", **body, "stream": False}, timeout=120).json()
    assert "".join([line["message"]["content"] for line in lines]) == direct["message"]["content"]
    assert (lines[-1]["done"], lines[-1]["done_reason"]) == (True, direct["done_reason"])
    assert lines[-1]["eval_count"] == direct["eval_count"]


def test_ollamas_own_client_is_served(ollamas: tuple[Path, str], at: Stage, tmp_path: Path) -> None:
    at.plays("Hello there.")
    environ = {"OLLAMA_HOST": at.url, "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    command = [str(ollamas[0]), "run", "scripted/any:8b", "Hi"]
    done = subprocess.run(
        command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "Hello there."), done.stderr
