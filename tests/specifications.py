"""Every request that the suite makes, held to what the vendors publish: their OpenAPI documents, and the types of their SDKs.

The documents are no part of this project. `IPFS_ACCEL_SPECS` names the folder that they are in; without it nothing is
judged. A test fails that sends what its provider's document or SDK does not allow. What a caller put into `extra`, a
part of its own form, or a request of its own is the caller's business and not judged.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from email.parser import BytesParser
from email.policy import HTTP
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import attrs
import pytest
from ipfs_accel._calls.call import Call
from ipfs_accel.hookspecs import RAW_OPERATIONS
from ipfs_accel.types import RelayRequest

from .schemas import Fault, Schemas, of_gemini, of_openapi, of_typed_dict

__all__ = ["Judges", "Sent", "Specifications"]

LONGEST = 256 * 1024
MOST_OBJECTS = 2000  # as where a test nests them by the thousand
# What a document or an SDK leaves out, or has in one form of several: backend, end of the path, the fault, and who says so.
SAID_ELSEWHERE: tuple[tuple[str, str, str, str], ...] = (
    (
        "openai",
        "/uploads",
        r"purpose: 'user_data' is not one of",
        "openai.types.FilePurpose, which uploads.create takes",
    ),
    ("azure", "/uploads", r"purpose: 'user_data' is not one of", "as above"),
    ("tgi", "/completions", r"prompt: .* is not of type 'array'", "TGI's router/src/lib.rs: PromptDeserializer"),
    ("tgi", "/chat/completions", r"function: 'arguments' is a required", "the same: `parameters` is its alias"),
    (
        "tgi",
        "/chat/completions",
        r"response_format: .'type': 'json_object'",
        "the same: an alias of `json` in GrammarType",
    ),
    ("ollama", "/api/create", r"(files|adapters): the schema has no such", "ollama._types.CreateRequest"),
    ("ollama", "/api/chat", r"truncate: the schema has no such", "Ollama's api/types.go: ChatRequest"),
    ("ollama", "/api/generate", r"truncate: the schema has no such", "Ollama's api/types.go: GenerateRequest"),
    (
        "groq",
        "/chat/completions",
        r"stream_options: the schema has no",
        "groq.types.chat.ChatCompletionChunk, at `usage`",
    ),
    (
        "gemini",
        "enerateContent",
        r"continuationToken: the schema has no such",
        "the SDK's FinishReason, at its last member",
    ),
    # Models up to 4.6 take these, by the API's older version; the SDK's types have the newest.
    ("claude", "/messages", r"(temperature|top_p|top_k): the schema has no such", "the API's version 2023-06-01"),
)


class Sent(NamedTuple):
    """A request on its way out.

    `beta` is whether it names a beta feature, `is_own` whether it goes to the vendor's own service as far as the plugin
    knows: other servers of the dialect may have members that the vendor has not. `extra` are the caller's own members.
    """

    backend: str
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    kind: str
    body: bytes
    beta: bool
    is_own: bool
    extra: frozenset[str]


class Judges:
    """What judges the requests of each backend."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Any, tuple[str, ...]] = {}
        self._by_backend: Mapping[str, Callable[[Sent], Iterator[Fault]]] = {
            "openai": partial(self._of_document, "openai.json", "/v1"),
            "azure": partial(self._of_document, "openai.json", "/openai/v1"),
            "ollama": partial(self._of_document, "ollama.yaml", ""),
            "tgi": partial(self._of_document, "tgi.json", ""),
            "tei": partial(self._of_document, "tei.json", ""),
            "ovms": partial(self._of_document, "kserve_v2.yaml", ""),
            "claude": self._of_claude,
            "groq": self._of_groq,
            "gemini": self._of_gemini,
        }

    def judge(self, sent: Sent) -> tuple[str, ...]:
        """Return what is wrong with a request; one of the same form is not judged again."""
        judge = self._by_backend.get(sent.backend)
        if judge is None or (sent.body[:1] in {b"", b" "} and not sent.query):
            return ()
        if sent.body.count(b"[") + sent.body.count(b"{") > MOST_OBJECTS:
            return ()
        shape = sent._replace(body=_shape(sent))
        known = self._known.get(shape)
        if known is None:
            faults = [each for each in judge(sent) if _counts(each, sent)]
            known = self._known[shape] = tuple(sorted({f"{sent.method} {sent.path}: {each.text}" for each in faults}))
        return known

    # by OpenAPI documents

    @cache  # noqa: B019 - lives as long as the run
    def document(self, name: str) -> Schemas:
        """Read a document once."""
        return of_openapi(self._folder / name)

    def _of_document(self, name: str, base: str, sent: Sent) -> Iterator[Fault]:
        schemas = self.document(name)
        path = sent.path[sent.path.index(base) + len(base) :] if base in sent.path else sent.path
        # KServe's document has only the paths with a version, which its text says may be left out.
        path = re.sub(r"^(/v2/models/[^/]+)(?=/(?:infer|ready)$|$)", r"\1/versions/1", path)
        operation = schemas.operation(sent.method, path)
        if operation is None:  # elsewhere a server of its own may have routes of the dialect beside the native ones
            if base and base in sent.path and sent.is_own:
                yield Fault((), "the document has no such route")
            return
        yield from schemas.query_faults(operation, sent.query)
        if sent.kind == "multipart/form-data":
            yield from schemas.body_faults(operation, sent.kind, _form(sent), texts=True)
        elif sent.body and sent.kind == "application/json":
            yield from schemas.body_faults(operation, "application/json", _json(sent))

    # by the types of SDKs

    def _of_claude(self, sent: Sent) -> Iterator[Fault]:
        from anthropic.types import message_count_tokens_params as counts
        from anthropic.types import message_create_params as creates
        from anthropic.types.beta import message_count_tokens_params as beta_counts
        from anthropic.types.beta import message_create_params as beta_creates

        if sent.kind != "application/json" or not sent.body:
            return
        body = _json(sent)
        if sent.path.endswith("/v1/messages/count_tokens"):
            kind: Any = beta_counts.MessageCountTokensParams if sent.beta else counts.MessageCountTokensParams
        elif sent.path.endswith("/v1/messages") and sent.method == "POST":
            name = f"MessageCreateParams{'Streaming' if body.get('stream') else 'NonStreaming'}"
            kind = getattr(beta_creates if sent.beta else creates, name)
        else:
            return
        yield from of_typed_dict(kind).faults(body)

    def _of_groq(self, sent: Sent) -> Iterator[Fault]:
        from groq.types import embedding_create_params
        from groq.types.audio import speech_create_params
        from groq.types.chat import completion_create_params

        kinds = {
            "/chat/completions": completion_create_params.CompletionCreateParams,
            "/embeddings": embedding_create_params.EmbeddingCreateParams,
            "/audio/speech": speech_create_params.SpeechCreateParams,
        }
        for end, kind in kinds.items():
            if sent.path.endswith(end) and sent.body:
                yield from of_typed_dict(kind).faults(_json(sent))

    def _of_gemini(self, sent: Sent) -> Iterator[Fault]:
        verb = sent.path.rpartition(":")[2]
        if verb in {"generateContent", "streamGenerateContent"} and sent.body:
            yield from of_gemini().faults(_json(sent))


class Specifications:
    """The plugin of pytest: notes what a test sends, and judges it when the test has passed."""

    def __init__(self, folder: Path) -> None:
        self.judges = Judges(folder)
        self.sent: list[Sent] = []
        self._outgoing = Call.outgoing

    def pytest_sessionstart(self) -> None:
        """Begin to listen where the core adds to a plan what is its own."""
        listener, outgoing = self, self._outgoing

        def listening(call: Call, send: Any, *more: Any) -> Any:
            found = yield from outgoing(call, send, *more)
            listener.note(call, send, found.url)
            return found

        Call.outgoing = listening  # type: ignore[method-assign]

    def pytest_sessionfinish(self) -> None:
        """Leave everything as it was."""
        Call.outgoing = self._outgoing  # type: ignore[method-assign]

    def note(self, call: Call, send: Any, url: str) -> None:
        """Note a request, unless it is the caller's own."""
        if (
            isinstance(call.request, RelayRequest)
            or call.operation in RAW_OPERATIONS
            or call.operation in call.target.backend.calls
        ):
            return
        headers = {name.lower(): value for name, value in (*send.headers, *call.target.sent_headers)}
        parts = urlsplit(url)
        self.sent.append(
            Sent(
                backend=call.target.backend.name,
                method=send.method,
                path=parts.path,
                query=tuple(parse_qsl(parts.query, keep_blank_values=True)),
                kind=headers.get("content-type", "").partition(";")[0],
                body=_content(send.content, headers.get("content-type", "")),
                beta="anthropic-beta" in headers,
                is_own=_is_own(call),
                extra=frozenset(_extra(call.request)),
            )
        )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, Any, Any]:
        """Judge what a test has sent that passed."""
        self.sent.clear()
        result = yield
        faults = sorted({fault for sent in self.sent for fault in self.judges.judge(sent)})
        if faults:
            pytest.fail("this is not what the vendor's specification allows:\n" + "\n".join(faults), pytrace=False)
        return result


def _counts(fault: Fault, sent: Sent) -> bool:
    """Whether a fault is the backend's: it is none of the caller's own members, and nobody allows it elsewhere."""
    if not sent.extra.isdisjoint(fault.place) or (fault.is_unknown and not sent.is_own):
        return False
    if not sent.is_own and fault.place[:1] == ("messages",):
        return False  # what another server said goes back to it as it was
    return not any(
        backend == sent.backend and sent.path.endswith(end) and re.search(said, fault.text)
        for backend, end, said, _ in SAID_ELSEWHERE
    )


def _is_own(call: Call) -> bool:
    backend = call.target.backend.name
    return backend != "openai" or sys.modules["ipfs_accel_openai._rules"].is_hosted(call.target.endpoint)  # type: ignore[no-any-return]


def _extra(request: Any) -> Iterator[str]:
    """Give the members that the caller put into a request as they are, those of a batch's requests too."""
    yield from getattr(request, "extra", ())
    for item in getattr(request, "items", ()) if attrs.has(type(request)) else ():
        yield from getattr(getattr(item, "request", None), "extra", ())


def _content(content: Any, kind: str) -> bytes:
    """Return a body as bytes; a form with its boundary's line before it, nothing for what is large."""
    if content is None or isinstance(content, bytes):
        return (content or b"")[:LONGEST] if len(content or b"") <= LONGEST else b""
    if not kind.startswith("multipart/") or content.size > LONGEST:
        return b""
    return f"content-type: {kind}\r\n\r\n".encode() + b"".join(content)


def _json(sent: Sent) -> Any:
    return json.loads(sent.body)


def _form(sent: Sent) -> dict[str, Any]:
    """Return a form as an object: texts, lists of them, and files as texts."""
    found: dict[str, Any] = {}
    for part in BytesParser(policy=HTTP).parsebytes(sent.body).iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        content = part.get_payload(decode=True)
        value = "file" if part.get_filename() else content.decode()  # type: ignore[union-attr]
        key = name.removesuffix("[]")
        if name.endswith("[]") or key in found:
            found.setdefault(key, [])
            found[key] = [*(found[key] if isinstance(found[key], list) else [found[key]]), value]
        else:
            found[key] = value
    return found


def _shape(sent: Sent) -> bytes:
    """Return what tells the form of a body: long texts in it do not."""
    if sent.kind == "multipart/form-data":
        return re.sub(rb"boundary=\S+|--[0-9a-f]{32}", b"", sent.body)
    return re.sub(rb'"[^"\\]{65,}"', b'"..."', sent.body)
