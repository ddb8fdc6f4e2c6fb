"""Claude Code, Anthropic's SDK for Node and the AI SDK, at a gateway before other models."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel import EndpointConfig
from ipfs_accel.errors import BadRequestError, RateLimitError
from ipfs_accel.testing import Scripted
from ipfs_accel.testing.raw_server import Connection, serve
from ipfs_accel.types import Reasoning, ToolCall, ToolResult

from conftest import peer_node

from .gateways import Start
from .wires import CHUNKED, chunk, framed

pytestmark = pytest.mark.peer

CLAUDE_CODE, SDK = "@anthropic-ai/claude-code@2.1.197", "@anthropic-ai/sdk@1.14.0"
AI_SDK = ("ai@6.0.326", "@ai-sdk/anthropic@3.0.140", "zod@4.6.7")
THOUGHT = Reasoning(text="Hm.", field="reasoning")


class At:
    """A gateway, and what it is to answer."""

    def __init__(self, start: Start) -> None:
        self.answer: Any = None
        self.scripted = Scripted(lambda request: self.answer(request))
        self.url = start(self.scripted).url


@pytest.fixture(scope="module")
def at(running_once: Start) -> At:
    return At(running_once)


@pytest.fixture
def asked(at: At) -> Iterator[list[Any]]:
    at.scripted.requests.clear()
    yield at.scripted.requests
    at.answer = None


def run(command: list[str], folder: Path, **environ: str) -> str:
    inner = {"PATH": os.environ["PATH"], "HOME": str(folder / "home"), **environ}
    (folder / "home").mkdir()
    done = subprocess.run(
        command, cwd=folder, env=inner, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def claude(at: Any, folder: Path, prompt: str, *options: str, model: str = "scripted/any") -> str:
    program = peer_node("claude-code", CLAUDE_CODE) / ".bin" / "claude"
    return run(
        [str(program), "-p", prompt, *options],
        folder,
        ANTHROPIC_BASE_URL=at.url,
        ANTHROPIC_AUTH_TOKEN="any",
        ANTHROPIC_MODEL=model,
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
    )


def test_claude_code_finishes_a_turn_without_login(at: At, asked: list[Any], tmp_path: Path) -> None:
    at.answer = lambda _request: [THOUGHT, "Four", " it is."]
    assert claude(at, tmp_path, "What is two and two?").strip() == "Four it is."
    system = asked[-1].messages[0]
    assert system.role == "system"
    assert "x-anthropic-billing-header" not in system.text
    assert any("two and two" in message.text for message in asked[-1].messages)
    assert {"Bash", "Read"} <= {tool.name for tool in asked[-1].tools}


def test_claude_code_calls_a_tool_and_says_what_came_of_it(at: At, asked: list[Any], tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("the word is heliotrope")

    def answer(request: Any) -> Any:
        last = [part for message in request.messages for part in message.content if isinstance(part, ToolResult)]
        if not last:
            reading = json.dumps({"file_path": str(tmp_path / "note.txt")})
            return [THOUGHT, "I look.", ToolCall(id="call_7", name="Read", arguments=reading, extra={"signed": "x"})]
        return "It is heliotrope." if "heliotrope" in str(last[0].content) else f"It says {last[0].content}"

    at.answer = answer
    assert claude(at, tmp_path, "Which word is in note.txt?").strip() == "It is heliotrope."
    turn = next(message for message in asked[-1].messages if message.role == "assistant")
    assert next(part for part in turn.content if isinstance(part, Reasoning)).field == "reasoning"
    assert turn.tool_calls[0].id == "call_7"
    assert turn.tool_calls[0].extra == {"signed": "x"}


def test_claude_code_goes_on_where_a_model_takes_no_instruction_between_the_turns(
    at: At, asked: list[Any], tmp_path: Path
) -> None:
    def answer(request: Any) -> Any:
        if any(message.role == "system" for message in request.messages[1:]):
            raise BadRequestError("System message must be at the beginning.", status=400)
        return "Four."

    at.answer = answer
    assert claude(at, tmp_path, "What is two and two?").strip() == "Four."
    assert [message.role for message in asked[0].messages].count("system") == 2
    assert [message.role for message in asked[-1].messages] == ["system", "user"]


def test_claude_code_takes_the_counts_that_are_told_with_the_end(running: Start, tmp_path: Path) -> None:
    used = {"prompt_tokens": 4321, "completion_tokens": 7, "total_tokens": 4328}
    event = json.dumps({"choices": [], "usage": used}).encode()

    def handle(connection: Connection) -> None:
        while connection.request() is not None:
            connection.send(CHUNKED + framed(chunk("Four.", "stop")))
            time.sleep(0.2)  # so that the counts come by themselves, whatever is read at once
            connection.send(framed(b"data: %b\n\n" % event) + framed(b"data: [DONE]\n\n") + b"0\r\n\r\n")

    with serve(handle) as server:
        up = EndpointConfig(backend="openai", base_url=f"{server.url}/v1", key="k")
        at = running(endpoints={"up": up}, settings={"unsupported": "leave_out"})
        told = json.loads(claude(at, tmp_path, "What is two and two?", "--output-format", "json", model="up/m"))
    assert (told["result"], told["usage"]["input_tokens"], told["usage"]["output_tokens"]) == ("Four.", 4321, 7)


PROGRAM = """
import Anthropic from "@anthropic-ai/sdk";
const client = new Anthropic({ baseURL: process.env.URL, apiKey: "any", maxRetries: 0 });
const asked = { model: "scripted/any", max_tokens: 50, messages: [{ role: "user", content: "Hi" }],
  tools: [{ name: "weather", input_schema: { type: "object", properties: {} } }] };
const whole = await client.messages.create(asked);
const streamed = await client.messages.stream(asked).finalMessage();
let error = null;
try { await client.messages.create(asked); } catch (caught) {
  error = { kind: caught.constructor.name, status: caught.status, id: caught.requestID, type: caught.error.error.type };
}
let cut = null;
try { await client.messages.stream(asked).finalMessage(); } catch (caught) { cut = caught.error?.error?.type ?? String(caught); }
const models = (await client.models.list()).data.map((model) => model.display_name);
console.log(JSON.stringify({ whole, streamed, error, cut, models }));
"""


def test_the_sdk_for_node_reads_all_of_it(at: At, asked: list[Any], tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node, which runs it, is not here")
    said = [THOUGHT, "Hello", " there", ToolCall(id="call_1", name="weather", arguments='{"city": "Rome"}')]
    script = iter([said, said, RateLimitError("m", status=429), ["Hel", RateLimitError("m", status=429)]])
    at.answer = lambda _request: next(script)
    (tmp_path / "node_modules").symlink_to(peer_node("anthropic-sdk", SDK))
    (tmp_path / "ask.mjs").write_text(PROGRAM)
    found = json.loads(run([node, "ask.mjs"], tmp_path, URL=at.url))
    for answer in (found["whole"], found["streamed"]):
        thought, text, call = answer["content"]
        assert (thought["type"], thought["thinking"]) == ("thinking", "Hm.")
        assert text == {"type": "text", "text": "Hello there"}
        assert (call["name"], call["input"], answer["stop_reason"]) == ("weather", {"city": "Rome"}, "tool_use")
    assert found["error"].pop("id").startswith("req_")
    assert found["error"] == {"kind": "RateLimitError", "status": 429, "type": "rate_limit_error"}
    assert found["cut"] == "rate_limit_error"
    assert found["models"] == []
    assert len(asked) == 4


AI_PROGRAM = """
import { createAnthropic } from "@ai-sdk/anthropic";
import { generateText, streamText, tool } from "ai";
import { z } from "zod";
globalThis.AI_SDK_LOG_WARNINGS = (warnings) => warned.push(...warnings.warnings.map((each) => each.feature ?? each.message));
const warned = [];
const model = createAnthropic({ baseURL: process.env.URL + "/v1", apiKey: "any" })("scripted/any");
const weather = tool({ inputSchema: z.object({ city: z.string() }) });
const told = [];
const messages = [{ role: "user", content: "Hi" }];
const whole = await generateText({ model, messages, tools: { weather }, maxOutputTokens: 50, maxRetries: 0 });
const answer = (calls) => ({ role: "tool", content: calls.map((call) => ({ type: "tool-result", toolCallId: call.toolCallId,
  toolName: call.toolName, output: { type: "text", value: "sunny" } })) });
messages.push(...whole.response.messages, answer(whole.toolCalls));
const streamed = streamText({ model, messages, tools: { weather }, maxOutputTokens: 50, maxRetries: 0 });
for await (const part of streamed.fullStream) told.push(part.type);
const reason = await streamed.finishReason;
console.log(JSON.stringify({ call: whole.toolCalls[0].input, thought: whole.reasoningText, reason: whole.finishReason,
  text: await streamed.text, thoughts: await streamed.reasoningText, end: reason, told, usage: await streamed.usage, warned }));
"""


def test_the_ai_sdk_goes_on_with_thoughts_and_calls(at: At, asked: list[Any], tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node, which runs it, is not here")
    call = ToolCall(id="call_1", name="weather", arguments='{"city": "Rome"}', extra={"signed": "x"})
    script = iter([[THOUGHT, call], [Reasoning(text="Ah."), "Sun", "ny."]])
    at.answer = lambda _request: next(script)
    (tmp_path / "node_modules").symlink_to(peer_node("ai-sdk-anthropic", *AI_SDK))
    (tmp_path / "ask.mjs").write_text(AI_PROGRAM)
    found = json.loads(run([node, "ask.mjs"], tmp_path, URL=at.url))
    assert (found["call"], found["thought"], found["reason"]) == ({"city": "Rome"}, "Hm.", "tool-calls")
    assert (found["text"], found["thoughts"], found["end"]) == ("Sunny.", "Ah.", "stop")
    assert "error" not in found["told"]
    assert found["warned"] == []
    turn = asked[-1].messages[1]
    assert [type(part) for part in turn.content] == [Reasoning, ToolCall]
    assert (turn.content[0].field, turn.content[1].extra) == ("reasoning", {"signed": "x"})
