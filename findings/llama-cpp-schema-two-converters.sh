#!/usr/bin/env bash
# llama.cpp's server enforces a JSON Schema differently on /completion and on /v1/chat/completions
#
# Seen with: xllamacpp 2026.10.11549, which is llama.cpp b11549 built with llguidance, and a model of random weights.
# Behaviour: one process has two converters from schemas to grammars. What the native route's `json_schema` enforces, the
#   chat route's `response_format` drops without a word, with "strict" too: minimum and maximum of a number (those of an
#   integer hold in both), the escape \d in a pattern (a pattern of plain parts holds in both), multipleOf, and a type that
#   one of an enum's members contradicts.
# Consequence: "structured output" of the chat route guarantees the shape and not the values. Write bounds as integers
#   and [0-9] for \d, or check each answer with a validator of JSON Schema, though the server promised it.
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
import re
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


def chat(schema: dict, seed: int) -> str:
    wrapped = {"type": "json_schema", "json_schema": {"name": "one", "schema": schema, "strict": True}}
    messages = [{"role": "user", "content": "Go."}]
    body = {"messages": messages, "max_tokens": 200, "temperature": 2, "seed": seed, "response_format": wrapped}
    return ask("/v1/chat/completions", **body)["choices"][0]["message"]["content"]


def native(schema: dict, seed: int) -> str:
    return ask("/completion", prompt="Go.", n_predict=200, temperature=2, seed=seed, json_schema=schema)["content"]


def broken(route, part: dict, holds) -> int:
    """How many of twelve answers that are JSON break the schema."""
    schema = {"type": "object", "properties": {"p": part}, "required": ["p"], "additionalProperties": False}
    count = 0
    for seed in range(12):
        try:
            value = json.loads(route(schema, seed))["p"]
        except ValueError:  # cut by the limit
            continue
        count += not holds(value)
    return count


four_digits = re.compile("[0-9]{4}").fullmatch
dropped = {
    "minimum and maximum of a number": ({"type": "number", "minimum": 0, "maximum": 1}, lambda v: 0 <= v <= 1),
    "\\d in a pattern": ({"type": "string", "pattern": r"^\d{4}$"}, four_digits),
    "multipleOf": ({"type": "integer", "multipleOf": 5}, lambda v: v % 5 == 0),
    "type beside enum": ({"type": "string", "enum": ["a", 1]}, lambda v: v == "a"),
}
kept = {
    "minimum and maximum of an integer": ({"type": "integer", "minimum": 0, "maximum": 9}, lambda v: 0 <= v <= 9),
    "[0-9] in a pattern": ({"type": "string", "pattern": "^[0-9]{4}$"}, four_digits),
}
for name, (part, holds) in {**dropped, **kept}.items():
    by_chat, by_native = broken(chat, part, holds), broken(native, part, holds)
    print(f"{name}: broken by {by_chat} of 12 chats, {by_native} of 12 completions")
    if by_native:
        sys.exit(f"changed: /completion no longer enforces {name}")
    if bool(by_chat) is not (name in dropped):
        sys.exit(f"changed: the chat route {'enforces' if name in dropped else 'drops'} {name} now")
PYTHON
