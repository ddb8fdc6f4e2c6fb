#!/usr/bin/env bash
# llama.cpp's server takes the name of a tool in tool_choice for "auto"
#
# Seen with: xllamacpp 2026.10.11549, which is llama.cpp b11549, and a model of random weights that is biased to end its
#   turn, so that it calls a tool only where the grammar leaves it no other way.
# Behaviour: `"tool_choice": "required"` forces a call. `{"type": "function", "function": {"name": "g"}}`, which in OpenAI's
#   API forces a call of g, gives the very answers of "auto"; so does the name of a tool that is not in the list, with 200.
# Consequence: code that forces one tool in order to get structured data gets prose from this server, or nothing, and no
#   error. What works is to send that tool alone, with "required".
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet --disable-pip-version-check xllamacpp==2026.10.11549 gguf==0.19.0 numpy==2.4.6
"$python" "$here/../scripts/make_tiny_gguf.py" "$folder/tiny.gguf"
"$python" - "$folder/tiny.gguf" 2>"$folder/log" <<'PYTHON' || { tail -n 3 "$folder/log"; exit 1; }
import json
import sys
import urllib.request

import xllamacpp

settings = xllamacpp.CommonParams()
settings.model.path = sys.argv[1]
settings.n_ctx, settings.n_parallel, settings.port, settings.warmup = 2048, 1, 0, False
settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(settings)


def ask(route: str, **body: object) -> dict:
    request = urllib.request.Request(
        server.listening_address + route, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def tool(name: str) -> dict:
    parameters = {"type": "object", "properties": {"x": {"type": "boolean"}}, "required": ["x"]}
    return {"type": "function", "function": {"name": name, "parameters": {**parameters, "additionalProperties": False}}}


def answers(choice: object, *names: str) -> list[dict]:
    """The messages for six seeds; token 260 ends the turn."""
    found = []
    for seed in range(6):
        answer = ask(
            "/v1/chat/completions",
            messages=[{"role": "user", "content": "Go."}],
            tools=[tool(name) for name in names],
            tool_choice=choice,
            parallel_tool_calls=False,
            max_tokens=60,
            seed=seed,
            logit_bias=[["<tool_call>", 50], [260, 100]],
        )
        message = answer["choices"][0]["message"]
        calls = [call["function"]["name"] for call in message.get("tool_calls") or []]
        found.append({"calls": calls, "text": message.get("content")})
    return found


def named(name: str) -> dict:
    return {"type": "function", "function": {"name": name}}


seen = {
    "auto": answers("auto", "f", "g"),
    "required": answers("required", "f", "g"),
    "g by name": answers(named("g"), "f", "g"),
    "a name that no tool has": answers(named("h"), "f", "g"),
    "required, g alone": answers("required", "g"),
}
for choice, found in seen.items():
    print(f"{choice}: calls {[each['calls'] for each in found]}")
if not all(each["calls"] for each in seen["required"]):
    sys.exit("changed: required no longer forces a call")
if [each["calls"] for each in seen["required, g alone"]] != [["g"]] * 6:
    sys.exit("changed: required with one tool no longer forces that tool")
if not seen["auto"] == seen["g by name"] == seen["a name that no tool has"]:
    sys.exit("changed: a name now makes a difference to auto")
PYTHON
