"""A small TEI: vectors are made of the text's letters, but routes, checks, limits and errors are the real router's.

They are those of version 1.9.3; `old` makes the differences of 1.8.
"""

from __future__ import annotations

import base64
import json
import struct
import threading
from collections.abc import Callable
from typing import Any

from werkzeug import Request, Response

Json = dict[str, Any]

SIZE = 4
_LETTERS = 250
"""Characters for each token of the longest input: what has more is refused before it is read."""
LABELS = {"0": "joy", "1": "anger"}
KINDS: dict[str, Json] = {
    "embedding": {"embedding": {"pooling": "mean"}},
    "splade": {"embedding": {"pooling": "splade"}},
    "classifier": {"classifier": {"id2label": LABELS, "label2id": {"joy": 0, "anger": 1}}},
    "reranker": {"reranker": {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}},
}
INFO: Json = {
    "model_id": "thenlper/gte-base", "model_sha": "fca14538", "model_dtype": "float16", "served_model_name": "thenlper/gte-base",
    "max_concurrent_requests": 512, "max_input_length": 8, "max_batch_tokens": 16384, "max_batch_requests": None, "max_client_batch_size": 4,
    "auto_truncate": True, "tokenization_workers": 4, "version": "1.9.3", "sha": None, "docker_label": None,
}  # fmt: skip
STATUS = {"Empty": 400, "Validation": 422, "Tokenizer": 422, "Backend": 424, "Overloaded": 429, "Unhealthy": 503}


class Refused(Exception):  # noqa: N818 - what the server does
    """An error of the server's own."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


class Undeserializable(Exception):  # noqa: N818 - what the body is
    """A body that the web framework refuses before the server sees it."""


def vector(item: Any) -> list[float]:
    """Return the vector of a text or of token ids: exact in 32 bits, so that it can be compared."""
    numbers = [ord(letter) for letter in item] if isinstance(item, str) else list(item)
    return [sum(numbers[place::SIZE]) / 1024 for place in range(SIZE)]


class Tei:
    """One server; `gate` is waited for by every inference, for tests of what is under way at once."""

    def __init__(self, kind: str = "embedding", **settings: Any) -> None:
        self.key: str | None = settings.pop("key", None)
        self.healthy = settings.pop("healthy", True)
        self.old = settings.pop("old", False)
        self.payload = settings.pop("payload", 2_000_000)
        self.gate: threading.Barrier | None = None
        self.hidden = settings.pop("hidden", None)
        self.prefix = ""
        self.kind = kind
        self.info = {**INFO, "model_type": KINDS[kind], **settings}
        self.seen: list[tuple[str, Any]] = []
        self.busy = 0
        self.lock = threading.Lock()
        self.routes: dict[str, Callable[[Any], Any]] = {
            "/embed": self.embed,
            "/embed_all": self.embed_all,
            "/embed_sparse": self.embed_sparse,
            "/rerank": self.rerank,
            "/predict": self.predict,
            "/similarity": self.similarity,
            "/tokenize": self.tokenize,
            "/decode": self.decode,
            "/v1/embeddings": self.openai,
            "/embeddings": self.openai,
            "/": self.by_kind,
            "/invocations": self.by_kind,
            "/vertex": lambda body: {"predictions": [self.by_kind(each) for each in body["instances"]]},
        }

    def __call__(self, request: Request) -> Response:  # noqa: PLR0911 - as many as the server has ways to answer  # noqa: PLR0911 - as many as the server has ways to answer
        path = request.path.removeprefix(self.prefix)
        if request.method == "GET":
            return self.get(request, path)
        if not self.may(request):
            return Response(status=401)
        if len(request.get_data()) > self.payload:
            text = "Failed to buffer the request body: length limit exceeded"
            return Response(text, 413, content_type="text/plain")
        if path not in self.routes:
            return Response(status=404)
        self.seen.append((path, body := json.loads(request.get_data())))
        self.tokens = 0
        try:
            response = answer(self.routes[path](body))
        except Undeserializable as error:
            text = f"Failed to deserialize the JSON body into the target type: {error}"
            return Response(text, 422, content_type="text/plain")
        except Refused as error:
            status = 413 if self.old and error.kind == "Validation" else STATUS[error.kind]
            if path in {"/v1/embeddings", "/embeddings"}:
                return answer({"message": str(error), "code": status, "type": error.kind}, status)
            return answer({"error": str(error), "error_type": error.kind}, status)
        if path not in {"/v1/embeddings", "/embeddings"}:
            response.headers["x-compute-tokens"] = str(self.tokens)
            response.headers["x-compute-type"] = "gpu+optimized"
        return response

    def may(self, request: Request) -> bool:
        return not self.key or request.headers.get("authorization") == f"Bearer {self.key}"

    def get(self, request: Request, path: str) -> Response:
        if path in {"/health", "/", "/ping"}:
            return Response() if self.healthy else answer({"error": "unhealthy", "error_type": "Unhealthy"}, 503)
        if self.hidden is not None:  # by a gateway that shows what takes a POST
            return Response("<html>no</html>", self.hidden, content_type="text/html")
        if path == "/info":
            return answer(self.info) if self.may(request) else Response(status=401)
        # Nothing is counted before the first request.
        counted = "te_request_count 1\n" if self.seen else ""
        return Response(counted) if path == "/metrics" else Response(status=404)

    # checks

    def is_a(self, kinds: tuple[str, ...], message: str) -> None:
        if self.kind not in kinds:
            raise Refused(f"Backend error: {message}", "Backend")

    def batch(self, value: Any, name: str = "inputs", beside: int = 0) -> list[Any]:
        """Return a batch, within the server's limit and with a permit for each of its items."""
        if value in ([], ""):
            raise Refused(f"Input validation error: `{name}` cannot be empty", "Empty")
        most = self.info["max_client_batch_size"]
        if len(value) + beside > most:
            raise Refused(f"batch size {len(value) + beside} > maximum allowed batch size {most}", "Validation")
        with self.lock:
            self.busy += len(value)
            crowded = self.busy > self.info["max_concurrent_requests"]
        try:
            if crowded:
                raise Refused("Model is overloaded", "Overloaded")
            if self.gate:
                self.gate.wait(60)
        finally:
            with self.lock:
                self.busy -= len(value)
        return list(value)

    def inputs(self, value: Any) -> list[Any]:
        """Read the untagged forms: a text, token ids, or a batch of either."""
        if isinstance(value, str):
            return self.batch([value] if value else "")
        if not isinstance(value, list) or not all(isinstance(item, str | int | list) for item in value):
            raise Undeserializable("inputs: data did not match any variant of untagged enum Input")
        found = self.batch([value] if value and all(isinstance(item, int) for item in value) else value)
        if "" in found or [] in found:  # one of them fails all
            raise Refused("Input validation error: `inputs` cannot be empty", "Empty")
        return found

    def words(self, item: Any) -> list[str]:
        """Return the words of a text, or of token ids, which are read back into a text without its special tokens."""
        return item.split(" ") if isinstance(item, str) else [f"w{each}" for each in item]

    def cut(self, item: Any, body: Any) -> Any:
        """Truncate, or refuse what is too long."""
        words = item.split(" ") if isinstance(item, str) else list(item)
        most = self.info["max_input_length"]
        if isinstance(item, str) and len(item) > _LETTERS * most:
            text = f"`inputs` must have less than {_LETTERS * most} characters. Given: {len(item)}"
            raise Refused(f"Input validation error: {text}", "Validation")
        truncate, side = body.get("truncate"), body.get("truncation_direction", "Right")
        if side not in {"Left", "left", "Right", "right"}:
            raise Undeserializable(f"truncation_direction: unknown variant `{side}`, expected `Left` or `Right`")
        if truncate is not None and not isinstance(truncate, bool):
            raise Undeserializable("truncate: invalid type")
        if len(words) > most:
            if not (self.info["auto_truncate"] if truncate is None else truncate):
                raise Refused(
                    f"Input validation error: `inputs` must have less than {most} tokens. Given: {len(words)}",
                    "Validation",
                )
            words = words[-most:] if side in {"Left", "left"} else words[:most]
            item = " ".join(words) if isinstance(item, str) else words
        self.tokens += len(words)
        return item

    def prompted(self, item: Any, body: Any) -> Any:
        name = body.get("prompt_name")
        if name is None:
            return item
        if name != "query":
            raise Refused(
                f"Input validation error: `default-prompt-name` is set to `{name}` but it was not found", "Validation"
            )
        return f"query: {item}"

    # routes

    def embed(self, body: Any) -> Any:
        self.is_a(("embedding", "splade"), "Model is not an embedding model")
        if self.kind == "splade" and body.get("normalize", True):
            raise Refused("`normalize` is not available for SPLADE models", "Backend")
        size = body.get("dimensions") or SIZE
        if body.get("dimensions") == 0:
            raise Refused("Input validation error: `dimensions` should be positive", "Validation")
        if size > SIZE:
            raise Refused(
                "Input validation error: `dimensions` should be smaller than the maximum embedding dimension.",
                "Validation",
            )
        scale = 1 if body.get("normalize", True) else 2
        return [
            [scale * number for number in vector(self.cut(self.prompted(item, body), body))[:size]]
            for item in self.inputs(body["inputs"])
        ]

    def embed_all(self, body: Any) -> Any:
        self.is_a(("embedding",), "`embed_all` is not available for SPLADE models")
        return [
            [vector(word) for word in self.words(self.cut(self.prompted(item, body), body))]
            for item in self.inputs(body["inputs"])
        ]

    def embed_sparse(self, body: Any) -> Any:
        self.is_a(("splade",), "Model is not an embedding model with SPLADE pooling")
        return [
            [{"index": len(word), "value": 0.5} for word in self.words(self.cut(self.prompted(item, body), body))]
            for item in self.inputs(body["inputs"])
        ]

    def rerank(self, body: Any) -> Any:
        self.is_a(("reranker",), "model is not a re-ranker model")
        scored = [
            {
                "index": index,
                **({"text": text} if body.get("return_text") else {}),
                "score": len(self.cut(text, body)) / (1 if body.get("raw_scores") else 100),
            }
            for index, text in enumerate(self.batch(body["texts"], "texts"))
        ]
        return sorted(scored, key=lambda rank: -rank["score"])

    def predict(self, body: Any) -> Any:
        self.is_a(("classifier", "reranker"), "Model is not a classifier model")
        value = body["inputs"]
        if value == []:
            raise Undeserializable("inputs: invalid length 0, expected a string, a pair of strings or a batch")
        if isinstance(value, list) and value and isinstance(value[0], str):
            if len(value) > 2:
                raise Undeserializable("inputs: invalid length 3, expected a string, a pair of strings or a batch")
            return self.predict_one(value, body)
        if isinstance(value, str):
            return self.predict_one([value], body)
        return [self.predict_one(each, body) for each in self.batch(value)]

    def predict_one(self, sequence: list[str], body: Any) -> Any:
        score = 0.25 if len(sequence) == 2 else 0.75 if "good" in self.cut(sequence[0], body) else 0.5
        factor = 4 if body.get("raw_scores") else 1
        found = [{"score": factor * score, "label": "joy"}, {"score": factor * (1 - score), "label": "anger"}]
        return sorted(found, key=lambda label: -label["score"])

    def similarity(self, body: Any) -> Any:
        self.is_a(("embedding", "splade"), "Model is not an embedding model")
        inputs = body["inputs"]
        sentences = self.batch(inputs["sentences"], "inputs.sentences", beside=1)
        return [len(self.prompted(item, body.get("parameters") or body)) / 64 for item in sentences]

    def tokenize(self, body: Any) -> Any:
        value = body["inputs"]
        found = []
        for item in self.batch(([value] if value else "") if isinstance(value, str) else value):
            text = self.prompted(item, body)
            tokens, start = [], 0
            for word in text.split(" "):
                tokens.append(
                    {"id": 1000 + len(word), "text": word, "special": False, "start": start, "stop": start + len(word)}
                )
                start += len(word) + 1
            special = {"text": "[CLS]", "special": True, "start": None, "stop": None}
            found.append(
                [{"id": 101, **special}, *tokens, {"id": 102, **special}]
                if body.get("add_special_tokens", True)
                else tokens
            )
        return found

    def decode(self, body: Any) -> Any:
        ids = body["ids"]
        skip = body.get("skip_special_tokens", True)
        several = [ids] if all(isinstance(each, int) for each in ids) else ids
        return [
            " ".join([f"w{each}" for each in one if each > 102 or not skip]) for one in self.batch(several, "input_ids")
        ]

    def openai(self, body: Any) -> Any:
        encoded = body.get("encoding_format", "float") == "base64"
        vectors = self.embed({"inputs": body["input"], "dimensions": body.get("dimensions")})
        data = [
            {
                "object": "embedding",
                "embedding": base64.b64encode(struct.pack(f"<{len(each)}f", *each)).decode() if encoded else each,
                "index": index,
            }
            for index, each in enumerate(vectors)
        ]
        usage = {"prompt_tokens": self.tokens, "total_tokens": self.tokens}
        return {"object": "list", "data": data, "model": self.info["served_model_name"], "usage": usage}

    def by_kind(self, body: Any) -> Any:
        return {
            "embedding": self.embed,
            "splade": self.embed_sparse,
            "classifier": self.predict,
            "reranker": self.rerank,
        }[self.kind](body)


def answer(value: Any, status: int = 200) -> Response:
    return Response(json.dumps(value), status, content_type="application/json")
