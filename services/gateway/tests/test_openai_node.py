"""Codex, and the SDKs of OpenAI and Vercel for Node, at a gateway before other models."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel import Config, EndpointConfig
from ipfs_accel.errors import RateLimitError
from ipfs_accel.testing import Scripted
from ipfs_accel.types import Opaque, Reasoning, ToolCall, ToolResult

from conftest import peer_node

from .gateways import Running

pytestmark = pytest.mark.peer

CODEX = "@openai/codex@0.171.0"
CONFIG = """
model = "scripted/any"
model_provider = "gateway"
check_for_update_on_startup = false
[analytics]
enabled = false
[model_providers.gateway]
name = "gateway"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "GATEWAY_KEY"
request_max_retries = 0
stream_max_retries = 0
"""
THOUGHT = Reasoning(text="Hm.", signature="c2ln")


class At:
    """A gateway, and what it is to answer."""

    def __init__(self) -> None:
        self.answer: Any = None
        self.scripted = Scripted(lambda request: self.answer(request))
        self.running = Running(Config(endpoints={"scripted": EndpointConfig()}, environ={}), {}, (self.scripted,))
        self.url = self.running.url


@pytest.fixture(scope="module")
def gateway() -> Iterator[At]:
    found = At()
    yield found
    found.running.close()


@pytest.fixture
def at(gateway: At) -> At:
    gateway.scripted.requests.clear()
    return gateway


def run(command: list[str], folder: Path, **environ: str) -> str:
    home = folder / "home"
    home.mkdir()
    inner = {"PATH": os.environ["PATH"], "HOME": str(home), "CODEX_HOME": str(home), **environ}
    if "config" in environ:
        (home / "config.toml").write_text(inner.pop("config"))
    done = subprocess.run(
        command, cwd=folder, env=inner, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def codex(at: At, folder: Path, *further: str) -> str:
    program = peer_node("codex", CODEX) / ".bin" / "codex"
    command = [str(program), "exec", "--skip-git-repo-check", *further]
    return run(command, folder, config=CONFIG.format(url=at.url), GATEWAY_KEY="any")


def test_codex_finishes_a_turn_without_login(at: At, tmp_path: Path) -> None:
    at.answer = lambda _request: [THOUGHT, "Four", " it is."]
    assert codex(at, tmp_path, "What is two and two?").strip() == "Four it is."
    asked = at.scripted.requests[-1]
    assert asked.messages[-1].text == "What is two and two?"
    assert {"exec_command", "multi_agent_v1__close_agent"} <= {tool.name for tool in asked.tools}


def test_codex_calls_a_tool_and_says_what_came_of_it(at: At, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("the word is heliotrope")
    hidden = Opaque(backend="claude", data={"type": "redacted_thinking", "data": "x"})

    def answer(request: Any) -> Any:
        results = [part for message in request.messages for part in message.content if isinstance(part, ToolResult)]
        if not results:
            arguments = json.dumps({"cmd": "cat note.txt"})
            return [
                THOUGHT,
                hidden,
                "I look.",
                ToolCall(id="call_7", name="exec_command", arguments=arguments, extra={"s": "x"}),
            ]
        return "It is heliotrope." if "heliotrope" in str(results[0].content) else f"It says {results[0].content}"

    at.answer = answer
    # Without a fence around commands Codex offers a search of the web, too, which no other model has.
    free = ("--sandbox", "danger-full-access", "--config", 'web_search="disabled"')
    assert codex(at, tmp_path, *free, "Which word is in note.txt?").strip() == "It is heliotrope."
    turn = next(message for message in at.scripted.requests[-1].messages if message.role == "assistant")
    assert [part for part in turn.content if not isinstance(part, ToolCall)][:2] == [THOUGHT, hidden]
    assert (turn.text, turn.tool_calls[0].id, turn.tool_calls[0].extra) == ("I look.", "call_7", {"s": "x"})


def test_codex_says_why_it_was_refused(at: At, tmp_path: Path) -> None:
    at.answer = lambda _request: RateLimitError("slow down", status=429)
    with pytest.raises(AssertionError, match="429"):
        codex(at, tmp_path, "Hi")


SDK = ("openai@6.49.0", "ai@6.0.326", "@ai-sdk/openai@3.0.141", "@ai-sdk/openai-compatible@2.0.92", "zod@4.6.7")
PROGRAM = """
import OpenAI from "openai";
const client = new OpenAI({ baseURL: process.env.URL + "/v1", apiKey: "any", maxRetries: 0 });
const tools = [{ type: "function", name: "weather", strict: false, parameters: { type: "object", properties: {} } }];
const asked = { model: "scripted/any", input: "Hi", tools };
const whole = await client.responses.create(asked);
const streamed = await client.responses.stream(asked).finalResponse();
let error = null;
try { await client.responses.create(asked); } catch (caught) {
  error = { kind: caught.constructor.name, status: caught.status, id: caught.requestID, type: caught.type };
}
const events = [];
try { for await (const event of client.responses.stream(asked)) events.push(event.type); } catch (caught) { events.push("thrown"); }
const text = await client.completions.create({ model: "scripted/any", prompt: "a", suffix: "b" });
console.log(JSON.stringify({ whole, streamed, error, events, text }));
"""
VERCEL = """
import { generateText, streamText, tool, stepCountIs, jsonSchema } from "ai";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
const baseURL = process.env.URL + "/v1";
const openai = createOpenAI({ baseURL, apiKey: "any" });
const compatible = createOpenAICompatible({ baseURL, apiKey: "any", name: "gateway" });
const weather = tool({
  description: "Tells it.",
  inputSchema: jsonSchema({ type: "object", properties: { city: { type: "string" } } }),
  execute: async ({ city }) => `sunny in ${city}`,
});
const found = {};
for (const [name, model] of Object.entries({
  responses: openai.responses("scripted/any"), chat: openai.chat("scripted/any"), compatible: compatible("scripted/any"),
})) {
  const asked = {
    model, prompt: "Hi", tools: { weather }, stopWhen: stepCountIs(3), maxRetries: 0,
    providerOptions: { openai: { store: false, include: ["reasoning.encrypted_content"] } },
  };
  const whole = await generateText(asked);
  const stream = streamText({ ...asked, onError: () => {} });
  found[name] = { whole: whole.text, steps: whole.steps.length, streamed: await stream.text, reason: await stream.finishReason,
    usage: await stream.totalUsage };
}
console.log(JSON.stringify(found));
"""


def node(at: At, folder: Path, program: str) -> Any:
    program_of_node = shutil.which("node")
    if program_of_node is None:
        pytest.skip("Node, which runs it, is not here")
    (folder / "node_modules").symlink_to(peer_node("openai-sdks", *SDK))
    (folder / "ask.mjs").write_text(program)
    return json.loads(run([program_of_node, "ask.mjs"], folder, URL=at.url))


def test_the_sdk_for_node_reads_all_of_it(at: At, tmp_path: Path) -> None:
    said = [THOUGHT, "Hello", " there", ToolCall(id="call_1", name="weather", arguments='{"city": "Rome"}')]
    failure = RateLimitError("m", status=429)
    script = iter([said, said, failure, ["Hel", failure], " world"])
    at.answer = lambda _request: next(script)
    found = node(at, tmp_path, PROGRAM)
    for answer in (found["whole"], found["streamed"]):
        assert [item["type"] for item in answer["output"]] == ["reasoning", "message", "function_call"]
        assert answer["output_text"] == "Hello there"
        assert json.loads(answer["output"][2]["arguments"]) == {"city": "Rome"}
    assert found["error"].pop("id").startswith("req_")
    assert found["error"] == {"kind": "RateLimitError", "status": 429, "type": "rate_limit_error"}
    assert found["events"][-1] in {"error", "response.failed", "thrown"}
    assert "response.completed" not in found["events"]
    assert found["text"]["choices"][0]["text"] == " world"


def test_vercels_sdk_runs_a_tool_by_each_of_its_ways(at: At, tmp_path: Path) -> None:
    def answer(request: Any) -> Any:
        if request.messages[-1].role == "tool":
            return [THOUGHT, "It is sunny."]
        return [THOUGHT, "I look.", ToolCall(id="call_1", name="weather", arguments='{"city":"Rome"}')]

    at.answer = answer
    found = node(at, tmp_path, VERCEL)
    for way in ("responses", "chat", "compatible"):
        assert (found[way]["whole"], found[way]["streamed"]) == ("It is sunny.", "It is sunny."), way
        assert (found[way]["steps"], found[way]["reason"]) == (2, "stop"), way
    turns = [request.messages[1] for request in at.scripted.requests if request.messages[-1].role == "tool"]
    assert [THOUGHT in turn.content for turn in turns[:2]] == [True, True]
