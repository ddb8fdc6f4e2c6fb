#!/usr/bin/env bash
# Two SDKs cut a valid stream where a model writes U+2028, because httpx splits lines as str.splitlines does
#
# Seen with: httpx 0.28.1, ollama 0.6.3, huggingface_hub 2.4.0, openai 3.57.0, groq 1.7.0.
# Behaviour: JSON may hold U+2028 (line separator) as it is within a string, and so may a line of NDJSON and the data of
#   a server-sent event, whose lines end at CR and LF alone. Servers in Go, Rust and C++ do send it so. httpx's
#   `iter_lines` ends a line there, as at U+2029, U+0085, FF and VT: ollama and huggingface_hub, which build on it, hand
#   half an object to json.loads and raise JSONDecodeError in the middle of an answer. openai and groq split bytes
#   themselves and read it whole.
# Consequence: text of PDFs and chat programs has this character, models copy it, and the stream dies at that word each
#   time it is asked again. Split the bytes at LF (and CR for events) before decoding; never `iter_lines`, never
#   `str.splitlines`.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet --disable-pip-version-check httpx==0.28.1 ollama==0.6.3 huggingface_hub==2.4.0 openai==3.57.0 groq==1.7.0
"$python" - <<'PYTHON'
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import groq
import huggingface_hub
import httpx
import ollama
import openai

TEXT = "one\u2028two"
MESSAGES = [{"role": "user", "content": "Go."}]


def chunk(content: str, reason: str | None = None) -> dict:
    choice = {"index": 0, "delta": {"role": "assistant", "content": content}, "finish_reason": reason}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def line(content: str, *, done: bool) -> dict:
    message = {"role": "assistant", "content": content}
    return {"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": message, "done": done}


def plain(value: dict) -> str:
    return json.dumps(value, ensure_ascii=False)


EVENTS = f"data: {plain(chunk(TEXT))}\n\ndata: {plain(chunk('', 'stop'))}\n\ndata: [DONE]\n\n"
LINES = f"{plain(line(TEXT, done=False))}\n{plain(line('', done=True))}\n"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body, kind = (LINES, "application/x-ndjson") if self.path == "/api/chat" else (EVENTS, "text/event-stream")
        data = body.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
root = f"http://127.0.0.1:{server.server_port}"


def joined(chunks) -> str:
    return "".join(each.choices[0].delta.content or "" for each in chunks)


def with_openai() -> str:
    client = openai.OpenAI(base_url=root, api_key="none")
    return joined(client.chat.completions.create(model="m", messages=MESSAGES, stream=True))


def with_groq() -> str:
    client = groq.Groq(base_url=root, api_key="none")
    return joined(client.chat.completions.create(model="m", messages=MESSAGES, stream=True))


def with_huggingface_hub() -> str:
    client = huggingface_hub.InferenceClient(base_url=root, api_key="none")
    return "".join([each.choices[0].delta.content or "" for each in client.chat_completion(MESSAGES, stream=True)])


def with_ollama() -> str:
    return "".join(each.message.content for each in ollama.Client(root).chat("m", MESSAGES, stream=True))


def outcome(read) -> str:
    try:
        return "whole" if read() == TEXT else "another text"
    except json.JSONDecodeError as error:
        return f"JSONDecodeError: {error.msg}"


with httpx.stream("POST", f"{root}/api/chat", content=b"") as response:
    lines = list(response.iter_lines())
print(f"httpx.iter_lines: {len(lines)} lines of what are two")
seen = {each.__name__[5:]: outcome(each) for each in (with_openai, with_groq, with_huggingface_hub, with_ollama)}
for name, what in seen.items():
    print(f"{name}: {what}")
cut = {name for name, what in seen.items() if what.startswith("JSONDecodeError")}
if len(lines) != 3 or cut != {"huggingface_hub", "ollama"} or {seen["openai"], seen["groq"]} != {"whole"}:
    sys.exit("changed: other clients than huggingface_hub and ollama cut the stream, or fewer")
PYTHON
