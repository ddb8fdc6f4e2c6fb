"""Calls that only OPEA has: retrieval, data preparation, translation of texts and code, statistics."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.errors import InvalidResponseError
from ipfs_accel.plans import Endpoint, Flow, Http, HttpResponse, Plan, Ready, get, post_json
from ipfs_accel.types import Upload, UploadSource
from ipfs_accel.wire.multipart import post_multipart

from ._answers import read_chat
from ._services import root, roots, service

__all__ = ["CALLS"]

Json = dict[str, Any]


def _json_of(response: HttpResponse) -> Any:
    return response.json()


def retrieve(
    endpoint: Endpoint, text: str, embedding: list[float], k: int = 4, extra: Mapping[str, Any] | None = None
) -> Plan[Any]:
    """Find documents near a vector, which the caller has made with `embed`; an answer has `retrieved_docs`."""
    where = service(endpoint, "retrieval")
    body = {"input": text, "embedding": list(embedding), "k": k, **(extra or {})}
    return Http(send=post_json(where.path, body, base_url=where.base_url), parse=_json_of)


def ingest(
    endpoint: Endpoint,
    files: list[UploadSource] | UploadSource | None = None,
    links: list[str] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Plan[Any]:
    """Put files and web pages into the index; `extra` has chunk_size, chunk_overlap, index_name and the like."""
    where = service(endpoint, "dataprep")
    several = files if isinstance(files, list) else [] if files is None else [files]
    fields = [(name, str(value)) for name, value in (extra or {}).items()]
    if links:
        fields.append(("link_list", strict_json.dumps(links).decode()))
    uploads = [("files", Upload.of(source, f"files[{index}]")) for index, source in enumerate(several)]
    send = post_multipart(f"{where.path}/ingest", fields, uploads, base_url=where.base_url)
    return Http(send=send, parse=_json_of)


def documents(endpoint: Endpoint, index_name: str | None = None) -> Plan[Any]:
    """List what is in the index."""
    where = service(endpoint, "dataprep")
    body = {} if index_name is None else {"index_name": index_name}
    return Http(send=post_json(f"{where.path}/get", body, base_url=where.base_url), parse=_json_of)


def delete_documents(endpoint: Endpoint, path: str, index_name: str | None = None) -> Plan[Any]:
    """Take a file out of the index; the path `all` takes out everything."""
    where = service(endpoint, "dataprep")
    body = {"file_path": path} | ({} if index_name is None else {"index_name": index_name})
    return Http(send=post_json(f"{where.path}/delete", body, base_url=where.base_url), parse=_json_of)


def _text_of(response: HttpResponse) -> str:
    return read_chat(response).text


def translate_code(endpoint: Endpoint, source: str, language_from: str, language_to: str) -> Plan[str]:
    """Translate a program; the service always streams, and the text comes whole from here."""
    where = service(endpoint, "codetrans", "/v1/codetrans")
    body = {"language_from": language_from, "language_to": language_to, "source_code": source}
    return Http(send=post_json(where.path, body, base_url=where.base_url), parse=_text_of)


def translate_text(endpoint: Endpoint, text: str, language_from: str, language_to: str) -> Plan[str]:
    """Translate a text; likewise."""
    where = service(endpoint, "translation", "/v1/translation")
    body = {"language_from": language_from, "language_to": language_to, "source_language": text}
    return Http(send=post_json(where.path, body, base_url=where.base_url), parse=_text_of)


def summarize(
    endpoint: Endpoint,
    files: list[UploadSource] | UploadSource,
    kind: str = "text",
    extra: Mapping[str, Any] | None = None,
) -> Plan[str]:
    """Summarise files; `kind` is text, audio or video, `extra` has summary_type, chunk_size and the like."""
    where = service(endpoint, "docsum")
    several = files if isinstance(files, list) else [files]
    fields = {"type": kind, "messages": "", "stream": "false", **(extra or {})}
    uploads = [("files", Upload.of(source, f"files[{index}]")) for index, source in enumerate(several)]
    texts = [(name, str(value)) for name, value in fields.items()]
    return Http(send=post_multipart(where.path, texts, uploads, base_url=where.base_url), parse=_text_of)


def describe_image(
    endpoint: Endpoint, image: UploadSource, prompt: str, extra: Mapping[str, Any] | None = None
) -> Plan[str]:
    """Ask the vision service about a picture."""
    where = service(endpoint, "lvm")
    picture = _base64(Upload.of(image, "image"))
    body = {"image": picture, "prompt": prompt, "stream": False, **(extra or {})}
    return Http(send=post_json(where.path, body, base_url=where.base_url), parse=_text_of)


def _base64(upload: Upload) -> str:
    import base64  # noqa: PLC0415 - only pictures need it

    return base64.b64encode(upload.read()).decode()


def statistics(endpoint: Endpoint) -> Plan[dict[str, Any]]:
    """Return each service's latencies in seconds, by the name that it gives itself."""
    return _everywhere(endpoint, "/v1/statistics", _object)


def metrics(endpoint: Endpoint) -> Plan[dict[str, str]]:
    """Return each service's Prometheus text, by base URL."""
    return _everywhere(endpoint, "/metrics", lambda response, base_url: {base_url: response.text()})


def _object(response: HttpResponse, _base_url: str) -> Json:
    body = response.json()
    if not isinstance(body, dict):
        raise InvalidResponseError(f"the statistics are a JSON {type(body).__name__} instead of an object")
    return body


def _everywhere(endpoint: Endpoint, path: str, read: Callable[[HttpResponse, str], Json]) -> Plan[Json]:
    def steps() -> Generator[Any, Any, Plan[Json]]:
        found: Json = {}
        for base_url in roots(endpoint):

            def parse(response: HttpResponse, base_url: str = base_url) -> Json:
                return read(response, base_url)

            found |= yield Http(send=get(path, base_url=root(base_url)), parse=parse)
        return Ready(value=found)

    return Flow(steps=steps)


CALLS: dict[str, Callable[..., Plan[Any]]] = {
    "retrieve": retrieve,
    "ingest": ingest,
    "documents": documents,
    "delete_documents": delete_documents,
    "translate_code": translate_code,
    "translate_text": translate_text,
    "summarize": summarize,
    "describe_image": describe_image,
    "statistics": statistics,
    "metrics": metrics,
}
