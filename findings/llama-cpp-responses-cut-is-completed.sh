#!/usr/bin/env bash
# llama.cpp's Responses API calls an answer completed that max_output_tokens cut, and OpenAI's SDK cannot stream it
#
# Seen with: xllamacpp 2026.10.11549, which is llama.cpp b11549; openai 3.57.0.
# Behaviour: an answer that ran into `max_output_tokens` has status "completed" and no incomplete_details, where OpenAI's
#   API has "incomplete" and "max_output_tokens"; the chat route of the same server does say "length". The events of its
#   stream lack output_index and content_index, on which the SDK's `responses.stream()` fails with a TypeError at the
#   first piece of text; `responses.create(stream=True)` gives the same events without reading them and works.
# Consequence: half an answer passes for a whole one. Compare usage.output_tokens with the limit that was asked for, and
#   do not use the SDK's accumulating stream against this server.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet --disable-pip-version-check xllamacpp==2026.10.11549 gguf==0.19.0 numpy==2.4.6 openai==3.57.0
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


import openai

client = openai.OpenAI(base_url=server.listening_address + "/v1", api_key="none", max_retries=0)
chat = client.chat.completions.create(model="any", messages=[{"role": "user", "content": "Hi"}], max_tokens=3)
whole = client.responses.create(model="any", input="Hi", max_output_tokens=3)
print(f"chat: finish_reason {chat.choices[0].finish_reason}, {chat.usage.completion_tokens} tokens")
print(f"responses: status {whole.status}, details {whole.incomplete_details}, {whole.usage.output_tokens} tokens")
if (chat.choices[0].finish_reason, chat.usage.completion_tokens, whole.usage.output_tokens) != ("length", 3, 3):
    sys.exit("changed: the limit of tokens no longer cuts both answers at three")
if (whole.status, whole.incomplete_details) != ("completed", None):
    sys.exit("changed: the Responses API now tells that the answer was cut")

plain = [event.type for event in client.responses.create(model="any", input="Hi", max_output_tokens=3, stream=True)]
print(f"create(stream=True): {len(plain)} events, the last {plain[-1]}")
try:
    with client.responses.stream(model="any", input="Hi", max_output_tokens=3) as stream:
        reached = [event.type for event in stream]
except TypeError as error:
    print(f"responses.stream(): TypeError: {error}")
else:
    sys.exit(f"changed: responses.stream() reads it to the end now: {reached[-1]}")
if plain[-1] != "response.completed":
    sys.exit(f"changed: the stream of a cut answer now ends in {plain[-1]}")
PYTHON
