#!/usr/bin/env bash
# llama.cpp's server holds an answer to a JSON schema on one of its four generating routes
#
# Seen with: xllamacpp 2026.10.11549, which is llama.cpp b11549, and a model of random weights.
# Behaviour: /v1/chat/completions with `response_format` answers in JSON of the schema. The same schema in the place that
#   each API has for it (`response_format` of /v1/completions, `text.format` of /v1/responses, `output_config.format` of
#   /v1/messages) is taken with status 200 and has no effect: what comes is free text.
# Consequence: a client that moves from chat completions to the Responses or Messages API of the same server loses its
#   structured output without an error, and a good model hides that, as it mostly writes what the prompt asks for. Ask
#   this server for JSON through chat completions only, or check every answer against the schema.
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


schema = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}
named = {"name": "verdict", "schema": schema, "strict": True}
wrapped = {"type": "json_schema", "json_schema": named}
messages = [{"role": "user", "content": "Is the sky blue?"}]


def chat(seed: int) -> str:
    answer = ask("/v1/chat/completions", messages=messages, max_tokens=40, seed=seed, response_format=wrapped)
    return answer["choices"][0]["message"]["content"]


def completion(seed: int) -> str:
    answer = ask("/v1/completions", prompt="Is the sky blue?", max_tokens=40, seed=seed, response_format=wrapped)
    return answer["choices"][0]["text"]


def responses(seed: int) -> str:
    text = {"format": {"type": "json_schema", **named}}
    answer = ask("/v1/responses", input="Is the sky blue?", max_output_tokens=40, seed=seed, text=text)
    return answer["output"][0]["content"][0]["text"]


def anthropic(seed: int) -> str:
    output = {"format": {"type": "json_schema", "schema": schema}}
    answer = ask("/v1/messages", messages=messages, max_tokens=40, seed=seed, output_config=output)
    return answer["content"][0]["text"]


def holds(text: str) -> bool:
    try:
        found = json.loads(text)
    except ValueError:
        return False
    return isinstance(found, dict) and found.keys() == {"ok"} and isinstance(found["ok"], bool)


seen = {each.__name__: [holds(each(seed)) for seed in range(8)] for each in (chat, completion, responses, anthropic)}
for name, held in seen.items():
    print(f"{name}: {sum(held)} of {len(held)} answers follow the schema")
if not all(seen.pop("chat")):
    sys.exit("changed: chat completions no longer hold an answer to the schema")
if any(any(held) for held in seen.values()):
    sys.exit("changed: another route now looks at the schema")
PYTHON
