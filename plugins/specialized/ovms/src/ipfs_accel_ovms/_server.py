"""Which server answers, and where its routes are. What was learnt stays in the endpoint's memo."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import attrs
from ipfs_accel.errors import APIConnectionError, APIStatusError, InvalidRequestError, InvalidResponseError
from ipfs_accel.plans import Endpoint, Http, HttpRequest, HttpResponse, get, segment

__all__ = [
    "Server",
    "at_root",
    "detect",
    "forget",
    "is_bare_no",
    "model_route",
    "need_number",
    "openai_route",
    "root_of",
    "says_so",
    "version_of",
]

_NAMES = {"OpenVINO Model Server": "ovms"}
_BINARY = ("ovms", "triton", "kserve")
_OPENAI = ("/v3/v1", "/v3", "/v1")
_TENSORS = ("/v2",)
# What servers answer to a route that they do not have; OVMS says 400.
_ABSENT = (400, 404, 405, 501)
_HOW_TO_START = "start one (for example: ovms --rest_port 8000 --config_path config.json) and set its base_url"


@attrs.frozen(kw_only=True)
class Server:
    """A server that answers.

    Attributes:
        kind: ovms, triton, mlserver, kserve, or whatever a server with KServe v2 calls itself; else empty.
        version: In its own words.
        has_v2: Whether it speaks KServe v2; TensorFlow Serving does not.
        has_binary: Whether it understands tensors as bytes.
        title: For people.
    """

    kind: str = ""
    version: str = ""
    has_v2: bool = False
    has_binary: bool = False
    title: str = ""

    @property
    def has_tfserving(self) -> bool:
        """Whether it may have TensorFlow Serving's routes, which OVMS had up to 2026.2; then they became OpenAI's."""
        numbers = [int(each) for each in self.version.split(".")[:2] if each.isdecimal()]
        return self.kind != "ovms" or numbers < [2026, 3]


def root_of(endpoint: Endpoint) -> str:
    """Return the base URL without the version that users copy along."""
    for suffix in (*_OPENAI, *_TENSORS):
        if endpoint.base_url.endswith(suffix):
            return endpoint.base_url.removesuffix(suffix)
    return endpoint.base_url


def at_root(endpoint: Endpoint, request: HttpRequest) -> HttpRequest:
    """Return a request whose path begins at the root."""
    return attrs.evolve(request, base_url=root_of(endpoint))


def openai_route(endpoint: Endpoint, route: str) -> str:
    """Return where a route of OpenAI's dialect is, below the base URL."""
    if endpoint.base_url.endswith(_OPENAI):
        return route
    if endpoint.base_url.endswith(_TENSORS):
        raise InvalidRequestError(
            f"base_url: {endpoint.base_url} is the place of tensors only", hint=f"set it to {root_of(endpoint)}"
        )
    path: str = endpoint.options.openai_path
    return path + route


def version_of(endpoint: Endpoint, version: str | None) -> str:
    """Return the version of a model that is meant; empty for the server's choice."""
    found = version if version is not None else endpoint.options.version
    return "" if found == "latest" else found


def model_route(model: str, version: str, *, prefix: str = "/v2") -> str:
    """Return where a model is."""
    if not model:
        raise InvalidRequestError("model: this backend's servers have several", hint="name one, as in ovms/resnet")
    route = f"{prefix}/models/{segment(model)}"
    if not version:
        return route
    kind = "versions" if prefix == "/v2" or version.isdecimal() else "labels"
    return f"{route}/{kind}/{segment(version)}"


def need_number(server: Server, version: str) -> None:
    """Refuse a version that is no number where OVMS would say that there is no such route."""
    if server.kind == "ovms" and version and not (version.isascii() and version.isdigit()):
        raise InvalidRequestError(f"version: {server.title} counts versions, and {version!r} is no number")


def detect(endpoint: Endpoint) -> Generator[Any, Any, Server]:
    """Find out which server answers.

    Raises:
        APIConnectionError: None answers.
    """
    known: Server | None = endpoint.memo.get("server")
    if known is not None:
        return known
    try:
        server: Server = yield Http(send=at_root(endpoint, get("/v2")), parse=_read)
    except APIConnectionError as error:
        error.about(hint=_HOW_TO_START)
        raise
    except (APIStatusError, InvalidResponseError) as error:
        if isinstance(error, APIStatusError) and error.status not in _ABSENT:
            raise
        server = Server(has_v2=endpoint.options.dialect == "kserve")  # it need not tell of itself
    endpoint.memo["server"] = server
    return server


def forget(endpoint: Endpoint) -> None:
    """Make the next call find out anew."""
    endpoint.memo.pop("server", None)


def says_so(response: HttpResponse) -> bool:
    """Whether a success means yes: KServe says it with one, and no in its body; others send none, or another one."""
    try:
        body = response.json()
    except InvalidResponseError:
        return True
    return not (isinstance(body, dict) and (body.get("ready") is False or body.get("live") is False))


def is_bare_no(error: APIStatusError) -> bool:
    """Whether a refusal to say how the server or a model is means no: Triton and MLServer have nothing but a 400."""
    return error.status == 400 and not error.body  # noqa: PLR2004 - as they say it


def _read(response: HttpResponse) -> Server:
    body = response.json()
    name = body.get("name") if isinstance(body, dict) else None
    if not isinstance(name, str) or not name:
        return Server()
    kind = _NAMES.get(name, name)
    extensions = body.get("extensions")
    listed = isinstance(extensions, list) and any("binary_tensor_data" in str(each) for each in extensions)
    version = str(body.get("version") or "")
    return Server(
        kind=kind,
        version=version,
        has_v2=True,
        has_binary=listed or kind in _BINARY,
        title=f"{name} {version}".rstrip(),
    )
