"""What the console's port answers: files, how it is now, and a chat under the key that the operator has named.

The files are for anybody, as they say nothing; all else wants the cookie of a session, which a ticket is exchanged for.
The ticket stands in the fragment of the link, which no browser sends: it comes in a body, so that it is in no line of a
request, no `Referer` and no history, and nobody who looks at links beforehand spends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING

from ipfs_accel import strict_json

from ipfs_accel_gateway._incoming import Incoming
from ipfs_accel_gateway._reply import JSON

from .doors import SESSION_SECONDS, Doors
from .state import state_of

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from ipfs_accel_gateway._pages import Page
    from ipfs_accel_gateway._reply import Headers, Reply

    from .view import View

__all__ = ["MAX_BODY", "Console"]

MAX_BODY = 256 * 1024
"""Bytes of a request to the console: a chat in the playground."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_SHIELD = (
    ("content-security-policy", _POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
)
_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/console.css": ("console.css", "text/css; charset=utf-8"),
    "/console.js": ("console.js", "text/javascript; charset=utf-8"),
    "/drawing.js": ("drawing.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_CHAT = "/v1/chat/completions"
_OF_JSON = "application/json"


class Console:
    """The pages of one gateway.

    Args:
        view: Returns the gateway as it is now.

    Attributes:
        table: Method and path to what answers.
    """

    def __init__(self, view: Callable[[], View]) -> None:
        self._view = view
        self._doors = Doors()
        self.table: Mapping[tuple[str, str], Page] = {
            **{("GET", path): _file(*file) for path, file in _FILES.items()},
            ("POST", "/enter"): self._enter,
            ("GET", "/state"): self._state,
            ("GET", "/models"): self._models,
            ("POST", "/playground"): self._play,
        }

    def ticket(self) -> str:
        """Return what lets somebody in, once."""
        return self._doors.ticket()

    async def _enter(self, request: Incoming, reply: Reply) -> None:
        if not _is_own(request):
            await _refuse(reply, 403, "this is for the console's own page")
            return
        session = self._doors.enter(request.body.decode("utf-8", "replace"))
        if session is None:
            await _refuse(reply, 403, "this link was used, or is too old")
            return
        cookie = f"{_cookie(self._view())}={session}; Path=/; HttpOnly; SameSite=Strict; Max-Age={SESSION_SECONDS:.0f}"
        await reply.whole(204, (*_SHIELD, ("set-cookie", cookie)), b"")

    async def _state(self, request: Incoming, reply: Reply) -> None:
        if await self._admits(request, reply):
            await reply.whole(200, (JSON, *_SHIELD), strict_json.dumps_finite(state_of(self._view())))

    async def _models(self, request: Incoming, reply: Reply) -> None:
        if not await self._admits(request, reply):
            return
        app, caller = self._view().app, self._view().player
        names = [] if caller is None else await app.models.names(caller)
        await reply.whole(200, (JSON, *_SHIELD), strict_json.dumps(names))

    async def _play(self, request: Incoming, reply: Reply) -> None:
        if not await self._admits(request, reply):
            return
        view = self._view()
        caller = view.player
        if not _is_own(request):
            await _refuse(reply, 403, "this is for the console's own page")
        elif caller is None:
            await _refuse(reply, 403, "the playground is off: gateway.console_key names the key that it asks under")
        else:
            asked = Incoming("POST", _CHAT, {"content-type": _OF_JSON}, request.body)
            await view.app.handle_as(caller, asked, _Shielded(reply))

    async def _admits(self, request: Incoming, reply: Reply) -> bool:
        """Return whether somebody has entered; else they are told."""
        wanted = _cookie(self._view())
        for each in request.headers.get("cookie", "").split(";"):
            name, _, value = each.strip().partition("=")
            if name == wanted and self._doors.knows(value):
                return True
        await _refuse(reply, 401, "the console wants a link: `ipfs-accel serve` prints one, and another on SIGUSR1")
        return False


class _Shielded:
    """A reply with the console's headers beside its own."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self.write = reply.write
        self.end = reply.end
        self.cut = reply.cut

    @property
    def has_begun(self) -> bool:
        return self._reply.has_begun

    def whole(self, status: int, headers: Headers, body: bytes) -> Coroutine[Any, Any, None]:
        return self._reply.whole(status, _shielded(headers), body)

    def begin(self, status: int, headers: Headers, size: int | None = None) -> Coroutine[Any, Any, None]:
        return self._reply.begin(status, _shielded(headers), size)

    def keep_alive(self, status: int, headers: Headers, beat: bytes) -> None:
        self._reply.keep_alive(status, _shielded(headers), beat)


def _shielded(headers: Iterable[tuple[str, str]]) -> Headers:
    return (*headers, *_SHIELD)


def _cookie(view: View) -> str:
    """Return the cookie's name, which has the port in it: browsers send the cookies of a host to all of its ports."""
    return f"ipfs-accel-console-{view.port}"


def _is_own(request: Incoming) -> bool:
    """Whether the console's page sends it: a browser says truly from which origin a POST comes."""
    headers = request.headers
    return headers.get("origin") == f"http://{headers.get('host', '')}"


def _file(name: str, kind: str) -> Page:
    body = (files(__package__) / name).read_bytes()

    async def page(_request: Incoming, reply: Reply) -> None:
        await reply.whole(200, (("content-type", kind), *_SHIELD), body)

    return page


async def _refuse(reply: Reply, status: int, message: str) -> None:
    await reply.whole(status, (JSON, *_SHIELD), strict_json.dumps({"error": {"message": message}}))
