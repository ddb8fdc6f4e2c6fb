"""litellm as a client, in the words of OpenAI and of Anthropic, before a model that answers by a script."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel.errors import RateLimitError
from ipfs_accel.types import ToolCall

from conftest import peer_python

from .stages import Stage, stage

pytestmark = pytest.mark.peer

LITELLM = "litellm==1.110.2"
PROGRAM = """
import json, os
import litellm
family, url = os.environ["FAMILY"], os.environ["URL"]
asked = dict(model=family + "/scripted/any", api_key="any", max_tokens=99, num_retries=0, max_retries=0,
    api_base=url + ("/v1" if family == "openai" else ""), extra_headers={"user-agent": "litellm"})
user = [{"role": "user", "content": "Hi"}]
schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
tool = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": schema}}
whole = litellm.completion(messages=user, **asked)
chunks = list(litellm.completion(messages=user, stream=True, stream_options={"include_usage": True}, **asked))
built = litellm.stream_chunk_builder(chunks, messages=user)
call = litellm.completion(messages=user, tools=[tool], **asked).choices[0].message.tool_calls[0]
turn = [*user, {"role": "assistant", "content": None, "tool_calls": [call.model_dump()]},
    {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
last = litellm.completion(messages=turn, tools=[tool], **asked)
try:
    litellm.completion(messages=user, **asked)
    error = None
except Exception as caught:
    error = type(caught).__name__
print(json.dumps({
    "whole": whole.choices[0].message.content, "used": [whole.usage.prompt_tokens, whole.usage.completion_tokens],
    "pieces": [each.choices[0].delta.content for each in chunks if each.choices and each.choices[0].delta.content],
    "built": built.choices[0].message.content, "streamed": [built.usage.prompt_tokens, built.usage.completion_tokens],
    "call": [call.function.name, json.loads(call.function.arguments)], "last": last.choices[0].message.content,
    "error": error,
}))
"""


@pytest.fixture(scope="module")
def at() -> Iterator[Stage]:
    with stage() as found:
        yield found


def run(family: str, url: str, folder: Path) -> Any:
    python = peer_python("litellm-sdk", LITELLM)
    environ = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "FAMILY": family, "URL": url,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }  # fmt: skip
    command = [str(python), "-c", PROGRAM]
    done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("family", ["openai", "anthropic"])
def test_litellm_asks_and_goes_on(at: Stage, family: str, tmp_path: Path) -> None:
    call = ToolCall(id="call_abcdefgh", name="weather", arguments='{"city": "Rome"}')
    at.plays("Hello there.", ["Hel", "lo", "."], call, "It is sunny.", RateLimitError("slow", status=429))
    found = run(family, at.url, tmp_path)
    assert (found["whole"], found["built"], found["last"]) == ("Hello there.", "Hello.", "It is sunny.")
    assert "".join(found["pieces"]) == "Hello."
    assert len(found["pieces"]) > 1
    assert found["call"] == ["weather", {"city": "Rome"}]
    assert found["error"] == "RateLimitError"
    asked = at.scripted.requests[3]
    assert [message.role for message in asked.messages] == ["user", "assistant", "tool"]
    assert asked.messages[1].tool_calls[0].arguments.replace(" ", "") == '{"city":"Rome"}'
