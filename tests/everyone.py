"""A proxy that answers in place of every provider, so that the examples of the documentation run as they stand.

What is for a server at `gpu1` goes to llama.cpp's real server, what is for the store `minio` to moto, what is for another
port of this machine goes there, and everything else is answered here in the dialect of whoever was asked, over TLS
where the URL says so.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import socket
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from ipfs_accel.testing import Connection, serve

__all__ = ["Everyone", "everyone"]

TEXT = "Because the air scatters blue light the most."
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(24)).decode()
USAGE = {"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 21}
JSON, EVENTS, LINES = "application/json", "text/event-stream", "application/x-ndjson"
DOWN = "text/plain"
LIMITS = {"x-ratelimit-limit-tokens": 8000, "x-ratelimit-remaining-tokens": 7979, "x-ratelimit-reset-tokens": "100ms"}

Answer = tuple[str, bytes]


class Everyone(NamedTuple):
    """A running proxy: its URL, and the file with the authority that its certificates come from."""

    url: str
    authority: Path


class _Authority:
    """Signs certificates for whatever host is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "everyone")])
        self.file = folder / "authority.pem"
        self.file.write_bytes(self._signed(self.name, self.key.public_key(), None))
        self.context = cache(self._context)

    def _signed(self, name: x509.Name, key: Any, host: str | None) -> bytes:
        start = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
        issuer = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
        builder = x509.CertificateBuilder(
            self.name, name, key, x509.random_serial_number(), start, start + dt.timedelta(days=9)
        ).add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
        if host is None:
            builder = builder.add_extension(issuer, critical=False)
        else:
            names = x509.SubjectAlternativeName([x509.DNSName(host)])
            known = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer)
            builder = builder.add_extension(names, critical=False).add_extension(known, critical=False)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _context(self, host: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:60])])
        file = self.folder / f"{host}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(private + self._signed(name, key.public_key(), host))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


@contextmanager
def everyone(gpu: str, store: str) -> Iterator[Everyone]:
    """Run the proxy; `gpu` is where the server is that the examples call gpu1, `store` the one that they call minio."""
    real = {"gpu1": urlsplit(gpu).netloc, "minio": urlsplit(store).netloc}
    with tempfile.TemporaryDirectory() as folder:
        authority = _Authority(Path(folder))

        def handle(connection: Connection) -> None:
            secured = ""
            while (head := connection.head()) is not None:
                method, target, _ = head.split("\r\n", 1)[0].split(" ")
                if method == "CONNECT":
                    connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
                    secured = target.partition(":")[0]
                    connection.secure(authority.context(secured))
                    continue
                if "\nexpect: 100-continue" in head.lower():
                    connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = connection.body(head)
                url = urlsplit(target if "://" in target else f"https://{secured}{target}")
                engine = (
                    url.netloc if url.hostname == "127.0.0.1" and (url.port or 0) > 30_000 else ""
                )  # in this process
                elsewhere = real.get(url.hostname or "", engine)
                if elsewhere:
                    _forward(connection, elsewhere, head, body)
                    return
                kind, content = _answer(method, url.netloc, url.path, body)
                status = {"": "404 Not Found", DOWN: "503 Service Unavailable"}.get(kind, "200 OK")
                fields = {"content-type": kind or JSON, "content-length": len(content), **LIMITS}
                if url.path.startswith("/upload/"):
                    fields["x-goog-upload-url"] = f"https://{url.netloc}/uploaded"
                if url.path == "/uploaded":
                    fields["x-goog-upload-status"] = "final"
                lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
                connection.send(f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + (b"" if method == "HEAD" else content))

        with serve(handle) as server:
            yield Everyone(server.url, authority.file)


def _forward(connection: Connection, address: str, head: str, body: bytes) -> None:
    first, _, rest = head.partition("\r\n")
    method, target, version = first.split(" ")
    url = urlsplit(target)
    path = url.path + (f"?{url.query}" if url.query else "")
    fields = [line for line in rest.split("\r\n") if line and not line.lower().startswith(("connection:", "expect:"))]
    request = "\r\n".join([f"{method} {path} {version}", *fields, "connection: close", "", ""]).encode("latin-1") + body
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port))) as real:
        real.sendall(request)
        while data := real.recv(65536):
            connection.send(data)


# what they say


def _json(value: Any) -> Answer:
    return JSON, json.dumps(value).encode()


def _events(*values: Any, names: bool = False, end: str = "data: [DONE]\n\n") -> Answer:
    lines = [(f"event: {each['type']}\n" if names else "") + f"data: {json.dumps(each)}\n\n" for each in values]
    return EVENTS, ("".join(lines) + end).encode()


def _ndjson(*values: Any) -> Answer:
    return LINES, "".join(json.dumps(each) + "\n" for each in values).encode()


def _answer(method: str, host: str, path: str, body: bytes) -> Answer:
    try:
        asked = {"model": "m", **json.loads(body)}
    except (ValueError, TypeError):  # no body, or one of bytes
        asked = {"model": "m"}
    for name, table in _SERVERS.items():
        for end, answer in table.items() if name in host else ():
            if path.endswith(end) or (end.endswith("*") and end[:-1] in path):
                return answer({**asked, "_path": path, "_method": method})
    return "", json.dumps({"error": {"message": f"nobody answers {method} {host}{path}"}}).encode()


def _openai_chat(asked: dict[str, Any]) -> Answer:
    base = {"id": "chat-1", "created": 1_790_000_000, "model": asked["model"]}
    message, reason = _openai_message(asked)
    if asked.get("stream"):
        if reason == "stop":
            deltas: list[dict[str, Any]] = [{"content": word} for word in message["content"].split(" ")]
        else:
            deltas = [{"tool_calls": [{"index": 0, **call}]} for call in message["tool_calls"]]
        pieces = [{"index": 0, "delta": each, "finish_reason": None} for each in deltas]
        last = {"index": 0, "delta": {}, "finish_reason": reason}
        chunk = {**base, "object": "chat.completion.chunk"}
        return _events(
            *[{**chunk, "choices": [each]} for each in (*pieces, last)], {**chunk, "choices": [], "usage": USAGE}
        )
    choice = {"index": 0, "message": message, "finish_reason": reason}
    more = {"x_groq": {"id": "req_1"}} if asked["model"].startswith(("openai/", "qwen/")) else {}
    usage = {**USAGE, "queue_time": 0.01} if more else USAGE
    return _json({**base, "object": "chat.completion", "choices": [choice], "usage": usage, **more})


def _openai_message(asked: dict[str, Any]) -> tuple[dict[str, Any], str]:
    message: dict[str, Any] = {"role": "assistant", "content": TEXT}
    if asked.get("tools") and asked["messages"][-1]["role"] == "user":
        function = {"name": asked["tools"][0]["function"]["name"], "arguments": '{"city": "Paris"}'}
        call = {"id": "call_1", "type": "function", "function": function}
        return {**message, "content": None, "tool_calls": [call]}, "tool_calls"
    if asked["model"].startswith("meta-llama/llama-prompt-guard"):
        message["content"] = "0.99"
    form = asked.get("response_format") or {}
    if form.get("type") == "json_schema":
        message["content"] = json.dumps(_instance(form["json_schema"]["schema"]))
    return message, "stop"


def _instance(schema: dict[str, Any]) -> Any:
    """Return a value that follows a schema of the examples."""
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return _instance(schema["anyOf"][0])
    if schema.get("type") == "object":
        return {name: "Paris" if name == "city" else _instance(each) for name, each in schema["properties"].items()}
    if schema.get("type") == "array":
        return [_instance(schema["items"])]
    return {"string": "mild", "integer": 21, "number": 21, "boolean": False}.get(schema.get("type", ""))


def _openai_completion(asked: dict[str, Any]) -> Answer:
    base = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": asked["model"]}
    choice = {"index": 0, "text": TEXT, "finish_reason": "stop", "logprobs": None}
    if asked.get("stream"):
        return _events({**base, "choices": [choice]}, {**base, "choices": [], "usage": USAGE})
    return _json({**base, "choices": [choice], "usage": USAGE})


def _vector(asked: dict[str, Any]) -> list[float]:
    return [0.6, 0.8] * ((asked.get("dimensions") or 2) // 2)


def _openai_embeddings(asked: dict[str, Any]) -> Answer:
    inputs = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
    data = [{"object": "embedding", "index": index, "embedding": _vector(asked)} for index, _ in enumerate(inputs)]
    return _json(
        {"object": "list", "model": asked["model"], "data": data, "usage": {"prompt_tokens": 4, "total_tokens": 4}}
    )


def _openai_files(asked: dict[str, Any]) -> Answer:
    path = asked["_path"]
    if path.endswith("/content"):
        body = {"id": "chat-1", "object": "chat.completion", "created": 1, "model": "m", "usage": USAGE}
        body["choices"] = [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}]
        lines = [
            {"custom_id": each, "response": {"status_code": 200, "body": body}, "error": None} for each in ("a", "b")
        ]
        return _ndjson(*lines)
    file = {"id": "file-1", "object": "file", "bytes": 9, "created_at": 1, "filename": "a.jsonl", "purpose": "batch"}
    if asked["_method"] == "DELETE":
        return _json({"id": "file-1", "object": "file", "deleted": True})
    return _json({"object": "list", "data": [file]} if asked["_method"] == "GET" and path.endswith("files") else file)


def _openai_batches(asked: dict[str, Any]) -> Answer:
    counts = {"total": 2, "completed": 2, "failed": 0}
    batch = {"id": "batch-1", "object": "batch", "endpoint": "/v1/chat/completions", "input_file_id": "file-1"}
    batch |= {"completion_window": "24h", "status": "completed", "created_at": 1, "request_counts": counts}
    batch |= {"output_file_id": "file-2"}
    is_list = asked["_method"] == "GET" and asked["_path"].endswith("batches")
    return _json({"object": "list", "data": [batch], "has_more": False} if is_list else batch)


def _moderation(asked: dict[str, Any]) -> Answer:
    inputs = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
    result = {"flagged": False, "categories": {"violence": False}, "category_scores": {"violence": 0.01}}
    return _json({"id": "modr-1", "model": asked["model"], "results": [result for _ in inputs]})


def _models(*names: str) -> Callable[[dict[str, Any]], Answer]:
    data = [{"id": name, "object": "model", "created": 1, "owned_by": "them"} for name in names]

    def answer(asked: dict[str, Any]) -> Answer:
        name = asked["_path"].partition("/models/")[2]
        return _json({"object": "list", "data": data} if not name else {**data[0], "id": name})

    return answer


def _picture(_asked: dict[str, Any]) -> Answer:
    return _json(
        {
            "created": 1,
            "data": [{"b64_json": PIXEL}],
            "usage": {"input_tokens": 5, "output_tokens": 9, "total_tokens": 14},
        }
    )


def _transcript(_asked: dict[str, Any]) -> Answer:
    segment = {"id": 0, "start": 0.0, "end": 1.5, "text": " Good morning."}
    return _json({"text": "Good morning.", "language": "english", "duration": 1.5, "segments": [segment]})


_STORE = {"id": "vs_1", "object": "vector_store", "name": "notes"}
_OPENAI: dict[str, Callable[[dict[str, Any]], Answer]] = {
    "/chat/completions": _openai_chat,
    "/completions": _openai_completion,
    "/embeddings": _openai_embeddings,
    "/images/generations": _picture,
    "/images/edits": _picture,
    "/audio/transcriptions": _transcript,
    "/audio/translations": _transcript,
    "/audio/speech": lambda _asked: ("audio/mpeg", b"ID3" + bytes(60)),
    "/moderations": _moderation,
    "/responses/input_tokens": lambda _asked: _json({"object": "response.input_tokens", "input_tokens": 12}),
    "/containers/*": lambda _asked: ("application/binary", base64.b64decode(PIXEL)),
    "/videos/*": lambda _asked: ("video/mp4", bytes(64)),
    "/vector_stores": lambda asked: _json(
        _STORE if asked["_method"] == "POST" else {"object": "list", "data": [_STORE]}
    ),
    "/files*": _openai_files,
    "/batches*": _openai_batches,
    "/models*": _models("gpt-5.4-mini", "gpt-5.4"),
}


def _claude(asked: dict[str, Any]) -> Answer:
    usage = {"input_tokens": 12, "output_tokens": 9}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": asked["model"], "usage": usage}
    message |= {"content": [{"type": "text", "text": TEXT}], "stop_reason": "end_turn", "stop_sequence": None}
    if not asked.get("stream"):
        return _json(message)
    return _events(
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
        names=True,
        end="",
    )


def _gemini(asked: dict[str, Any]) -> Answer:
    image = "image" in asked["_path"]
    part = {"inlineData": {"mimeType": "image/png", "data": PIXEL}} if image else {"text": TEXT}
    candidate = {"index": 0, "content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}
    usage = {"promptTokenCount": 12, "candidatesTokenCount": 9, "totalTokenCount": 21}
    answer = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m", "responseId": "r1"}
    return _events(answer, end="") if "stream" in asked["_path"] else _json(answer)


def _ollama(asked: dict[str, Any]) -> Answer:
    done = {
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 12,
        "eval_count": 9,
        "total_duration": 5,
        "eval_duration": 4,
    }
    base = {"model": asked.get("model", ""), "created_at": "2026-11-20T10:00:00Z"}
    text = (
        {"message": {"role": "assistant", "content": TEXT}} if asked["_path"].endswith("chat") else {"response": TEXT}
    )
    if asked.get("stream", True):
        return _ndjson({**base, **text, "done": False}, {**base, **text, **done})
    return _json({**base, **text, **done})


def _pulled(_asked: dict[str, Any]) -> Answer:
    layer = {"status": "pulling 1", "digest": "sha256:1", "total": 100, "completed": 60}
    return _ndjson({"status": "pulling manifest"}, layer, {**layer, "completed": 100}, {"status": "success"})


def _vectors(asked: dict[str, Any]) -> Answer:
    inputs = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
    return _json({"model": asked["model"], "embeddings": [_vector(asked) for _ in inputs], "prompt_eval_count": 4})


_TENSOR = {"name": "data", "datatype": "FP32", "shape": [1, 3, 224, 224]}
_SERVERS: dict[str, dict[str, Callable[[dict[str, Any]], Answer]]] = {
    "anthropic": {
        "/messages/count_tokens": lambda _asked: _json({"input_tokens": 12}),
        "/messages": _claude,
        "/skills": lambda _asked: _json({"id": "skill_1"}),
    },
    "googleapis": {
        "/upload/v1beta/files": lambda _asked: _json({}),
        "/uploaded": lambda _asked: _json(
            {
                "file": {
                    "name": "files/talk",
                    "uri": "https://files/talk",
                    "state": "ACTIVE",
                    "mimeType": "application/pdf",
                }
            }
        ),
        ":generateContent": _gemini,
        ":streamGenerateContent": _gemini,
    },
    ":11434": {
        "/api/chat": _ollama,
        "/api/generate": _ollama,
        "/api/embed": _vectors,
        "/api/pull": _pulled,
        "/api/create": _pulled,
        "/api/blobs/*": lambda _asked: _json({}),
        "/api/delete": lambda _asked: _json({}),
        "/api/ps": lambda _asked: _json({"models": []}),
        "/api/show": lambda _asked: _json({"details": {}, "model_info": {}, "capabilities": ["completion", "vision"]}),
    },
    ":3000": {
        "/info": lambda _asked: _json(
            {
                "model_id": "m",
                "model_type": {"embedding": {"pooling": "cls"}},
                "max_client_batch_size": 32,
                "max_concurrent_requests": 512,
            }
        ),
        "/embed": lambda asked: _json([[0.6, 0.8] for _ in asked["inputs"]]),
        "/generate": lambda _asked: _json(
            {
                "generated_text": TEXT,
                "details": {"finish_reason": "eos_token", "generated_tokens": 9, "prefill": [], "tokens": []},
            }
        ),
    },
    ":8000": {
        "/v2": lambda _asked: _json({"name": "OpenVINO Model Server", "version": "2026.2"}),
        "/infer": lambda _asked: _json(
            {
                "model_name": "resnet",
                "outputs": [{"name": "prob", "datatype": "FP32", "shape": [1, 2], "data": [0.9, 0.1]}],
            }
        ),
        "/v2/models/resnet": lambda _asked: _json(
            {"name": "resnet", "inputs": [_TENSOR], "outputs": [{"name": "prob", "datatype": "FP32", "shape": [1, 2]}]}
        ),
    },
    "api.delta.example": {
        "/embed": lambda asked: _json({"model": "m", "vectors": [[0.6, 0.8] for _ in asked["texts"]]})
    },
    "down.example": {"*": lambda _asked: (DOWN, b"down")},
    "": {**_OPENAI, "/v1/messages": _claude},
}
