"""Where things are: paths on the Gemini API and on Vertex AI, and lists that come page by page."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import attrs
from ipfs_accel.errors import ConfigError, InvalidRequestError, InvalidResponseError, MissingKeyError
from ipfs_accel.hookspecs import KeyHeader
from ipfs_accel.plans import Endpoint, Http, HttpRequest, HttpResponse, Pairs, Plan, post_json, segment
from ipfs_accel.wire.fields import optional
from ipfs_accel.wire.lists import Page, paged

from ._errors import error_of

__all__ = [
    "Options",
    "ask",
    "checked",
    "headers",
    "key_header",
    "lacks",
    "listed",
    "model_name",
    "model_path",
    "nothing",
    "path_of",
    "placed",
    "post",
    "quoted",
    "root",
    "scope",
    "version",
]

T = TypeVar("T")

MAX_PAGE = 1000
_JSON = "application/json"
_VERSION = re.compile(r"/v1(?:alpha\d*|beta\d*)?$")
_WHOLE = re.compile(r"/(?:v1(?:alpha\d*|beta\d*)?|upload|download)/")
_NAMED = ("models/", "tunedModels/")
_NAMED_VERTEX = ("publishers/", "projects/", "endpoints/")
_VERTEX_HOST = re.compile(r"(?:([a-z0-9-]+)-)?aiplatform(?:\.([a-z]+)\.rep)?\.googleapis\.com")
_FILES = ("upload_file", "list_files", "get_file", "download_file", "delete_file")
_BATCHES = ("create_batch", "list_batches", "get_batch", "batch_results", "cancel_batch", "delete_batch")
_ONLY_DEVELOPERS = {
    **dict.fromkeys(_FILES, "Vertex AI keeps none; put files into Google Cloud Storage and give their gs:// URLs"),
    **dict.fromkeys(_BATCHES, "batches of Vertex AI read and write files in Google Cloud Storage; use the Gemini API"),
}


@attrs.frozen(kw_only=True)
class Options:
    """Settings of a Gemini endpoint.

    Attributes:
        api_version: Part of every path; v1beta has the most models and features, and v1beta1 on Vertex AI.
        vertex: Whether the endpoint is Vertex AI; its base URL has to be set then, such as
            https://aiplatform.googleapis.com.
        project: The Google Cloud project, for Vertex AI; without one, Vertex AI is used with an API key alone.
        location: The region on Vertex AI; as the base URL tells, or else global.
        quota_project: The project to bill, for tokens that belong to a person.
        server_timeout: Seconds after which the server is to give up; otherwise it works on when nobody waits any more.
        key_header: Where the key goes: `authorization` for tokens, which Vertex AI with a project needs, or
            `x-goog-api-key` for API keys.
    """

    api_version: str | None = None
    vertex: bool = False
    project: str | None = None
    location: str | None = None
    quota_project: str | None = None
    server_timeout: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.gt(0))
    )
    key_header: Literal["x-goog-api-key", "authorization"] | None = None


def key_header(options: Options) -> KeyHeader:
    """Return how the key is sent: never in the URL, which others log."""
    wanted = options.key_header or ("authorization" if options.vertex and options.project else "x-goog-api-key")
    return KeyHeader() if wanted == "authorization" else KeyHeader(name=wanted, prefix="")


def headers(options: Options) -> dict[str, str]:
    """Return the fixed headers."""
    made = {"x-goog-user-project": options.quota_project} if options.quota_project else {}
    if options.server_timeout is not None:
        made["x-server-timeout"] = str(math.ceil(options.server_timeout))
    return made


def root(endpoint: Endpoint) -> str:
    """Return the base URL without the version that users often copy along."""
    options: Options = endpoint.options
    base = _VERSION.sub("", endpoint.base_url)
    is_vertex_host = _VERTEX_HOST.fullmatch(urlsplit(base).hostname or "") is not None
    if options.vertex and endpoint.at_default_url:
        raise ConfigError(
            f"endpoint {endpoint.name!r}: Vertex AI needs a base URL",
            hint='set base_url = "https://aiplatform.googleapis.com", or that of a region, such as '
            '"https://europe-west4-aiplatform.googleapis.com"',
        )
    if is_vertex_host and not options.vertex:
        raise ConfigError(f"endpoint {endpoint.name!r} points to Vertex AI", hint="set options.vertex = true")
    if is_vertex_host and not endpoint.has_key:
        raise MissingKeyError(
            f"endpoint {endpoint.name!r} needs a key and none is set",
            hint='give the endpoint a token (key_env = "…", or in code a function that returns a fresh one), '
            f"or run: ipfs-accel keys set {endpoint.name}",
        )
    return base


def version(endpoint: Endpoint) -> str:
    """Return the version of the API, with which every path begins."""
    options: Options = endpoint.options
    return options.api_version or ("v1beta1" if options.vertex else "v1beta")


def path_of(endpoint: Endpoint, name: str, method: str = "") -> str:
    """Return the path of a resource, or of what it can be asked to do."""
    options: Options = endpoint.options
    above = f"{scope(endpoint)}/" if options.vertex and options.project and not name.startswith("projects/") else ""
    return f"/{version(endpoint)}/{quoted(above + name)}{f':{method}' if method else ''}"


def placed(endpoint: Endpoint, send: HttpRequest) -> HttpRequest:
    """Return a caller's request where the API has it: below its version, and on Vertex AI below the project.

    A path that names its version, or one of the places for uploads and downloads, which have it further on, is whole.
    """
    if _WHOLE.match(send.path):
        return attrs.evolve(send, base_url=root(endpoint))
    options: Options = endpoint.options
    is_scoped = options.vertex and options.project and not send.path.startswith("/projects/")
    above = f"/{scope(endpoint)}" if is_scoped else ""
    return attrs.evolve(send, path=f"/{version(endpoint)}{above}{send.path}", base_url=root(endpoint))


def quoted(name: str) -> str:
    """Quote the name of a resource as a path that it cannot leave."""
    return "/".join([segment(each) for each in name.split("/")])


def scope(endpoint: Endpoint) -> str:
    """Return the project and region that resources of Vertex AI belong to."""
    options: Options = endpoint.options
    found = _VERTEX_HOST.fullmatch(urlsplit(endpoint.base_url).hostname or "")
    location = options.location or (found and (found[1] or found[2])) or "global"
    return f"projects/{options.project}/locations/{location}"


def model_name(endpoint: Endpoint, model: str) -> str:
    """Return a model's name as a resource: `models/…`, `tunedModels/…` or `publishers/…/models/…`."""
    if not model:
        raise InvalidRequestError("model: Gemini needs one", hint="name it as endpoint/model")
    vertex = endpoint.options.vertex
    if model.startswith(_NAMED_VERTEX if vertex else _NAMED):
        return model
    if not vertex:
        return f"models/{model}"
    publisher, slash, name = model.removeprefix("models/").partition("/")
    return f"publishers/{publisher}/models/{name}" if slash else f"publishers/google/models/{publisher}"


def model_path(endpoint: Endpoint, model: str, method: str = "") -> str:
    """Return the path of a model, or of what it can be asked to do."""
    return path_of(endpoint, model_name(endpoint, model), method)


def lacks(endpoint: Endpoint) -> Mapping[str, str]:
    """Return what Vertex AI does not have, with what to do instead."""
    return _ONLY_DEVELOPERS if endpoint.options.vertex else {}


def post(endpoint: Endpoint, path: str, body: Any, *, headers: Pairs = (), accept: str = _JSON) -> HttpRequest:
    """Make a POST request with JSON."""
    return post_json(path, body, headers=headers, base_url=root(endpoint), accept=accept)


def ask(endpoint: Endpoint, path: str, *, method: str = "GET", query: Pairs = (), accept: str = _JSON) -> HttpRequest:
    """Make a request without a body."""
    return HttpRequest(method=method, path=path, query=query, headers=(("accept", accept),), base_url=root(endpoint))


def checked(response: HttpResponse) -> dict[str, Any]:
    """Return an answer's JSON object, unless it is an error in disguise."""
    body = response.json()
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    if not isinstance(body, dict):
        raise InvalidResponseError(f"the answer is a JSON {type(body).__name__} instead of an object")
    if body.get("error"):
        raise error_of(body)
    return body


def nothing(_response: HttpResponse) -> None:
    """Read the answer to a deletion, which says nothing that is not known."""


def listed(
    endpoint: Endpoint,
    path: str,
    name: str,
    read: Callable[[Any], T],
    *,
    limit: int | None = None,
    most: int = MAX_PAGE,
) -> Plan[tuple[T, ...]]:
    """Plan GET of a list, page by page.

    Args:
        endpoint: Where.
        path: Of the list.
        name: What the answer calls it; a page without it is empty, and need not be the last.
        read: Reads one item.
        limit: How many items to return.
        most: How many a page may have.
    """

    def parse(response: HttpResponse) -> Page[T]:
        body = checked(response)
        return [read(item) for item in optional(body, name, list) or ()], optional(body, "nextPageToken", str) or None

    def page(size: int, token: str | None) -> Http[Page[T]]:
        more: Pairs = (("pageToken", token),) if token else ()
        return Http(send=ask(endpoint, path, query=(("pageSize", str(size)), *more)), parse=parse)

    return paged(page, limit=limit, most=most)
