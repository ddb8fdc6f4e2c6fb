"""A store in memory that does one thing wrong: what real ones have been seen to do, each alone."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

TIME = "Thu, 01 Jan 2026 00:00:00 GMT"


def problem(code: str, status: int, message: str = "No.") -> Response:
    return Response(f"<Error><Code>{code}</Code><Message>{message}</Message></Error>", status)


class Odd:
    """Keeps objects of the bucket `b`; `wrong` is what is wrong with it, and `log` what it was asked."""

    def __init__(self, server: HTTPServer, wrong: str = "") -> None:
        self.objects: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.wrong = wrong
        self.log: list[str] = []
        self.before: Callable[[Request], Response | None] = lambda _request: None
        server.expect_request(re.compile("/b(/.*)?")).respond_with_handler(self.answer)

    def keep(self, key: str, data: bytes, **headers: str) -> None:
        """Keep an object, with an ETag that is its MD5."""
        about = {"ETag": f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"', "Last-Modified": TIME}
        self.objects[key] = data, {**about, **{name.replace("_", "-"): value for name, value in headers.items()}}

    def answer(self, request: Request) -> Response:
        key = unquote(request.path.removeprefix("/b").removeprefix("/"))
        self.log.append(f"{request.method} {key}{'?' + next(iter(request.args)) if request.args else ''}")
        told = self.before(request)
        if told is not None:
            return told
        method = getattr(self, f"_{request.method.lower()}")
        answer: Response = method(request, key)
        return answer

    def _head(self, request: Request, key: str) -> Response:
        if not key:
            return Response()
        if key not in self.objects:
            return Response(status=404)
        data, headers = self.objects[key]
        told = {} if self.wrong == "head without a length" else {"Content-Length": str(len(data))}
        if self.wrong == "head of nothing":
            told = {"Content-Length": "0"}
        answer = Response(headers={**headers, **told})
        answer.automatically_set_content_length = False
        return answer

    def _get(self, request: Request, key: str) -> Response:
        if key not in self.objects:
            return problem("NoSuchKey", 404)
        data, headers = self.objects[key]
        wanted = request.headers.get("If-Match")
        if wanted not in {None, headers.get("ETag")} and self.wrong != "conditions":
            return problem("PreconditionFailed", 412)
        if "If-Match" not in request.headers or self.wrong != "no etag of a range":
            pass
        else:
            headers = {name: value for name, value in headers.items() if name not in {"ETag", "Last-Modified"}}
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("Range", ""))
        if asked is None or self.wrong == "ranges":
            return Response(data, headers=headers)
        first = int(asked[1]) if asked[1] else max(0, len(data) - int(asked[2]))
        stop = min(int(asked[2]) + 1, len(data)) if asked[1] and asked[2] else len(data)
        too_far = not asked[1] and int(asked[2]) > len(data) and self.wrong == "no more than there is"
        if first >= len(data) or too_far:
            return problem("InvalidRange", 416)
        return self._range(data, headers, first, stop)

    def _range(self, data: bytes, headers: dict[str, str], first: int, stop: int) -> Response:
        total = str(len(data))
        if self.wrong == "other range":
            first, stop = 0, stop - first
        elif self.wrong == "clipped range":
            stop = max(first + 1, stop - 1)
        elif self.wrong in {"no total", "no total and clipped"}:
            total = "*"
            stop -= self.wrong.endswith("clipped")
        told = {} if self.wrong == "no range" else {"Content-Range": f"bytes {first}-{stop - 1}/{total}"}
        return Response(data[first:stop], 206, {**headers, **told})

    def _put(self, request: Request, key: str) -> Response:
        data = request.get_data()
        if "x-amz-copy-source" in request.headers:
            source = unquote(request.headers["x-amz-copy-source"]).split("/", 1)[1]
            if "If-None-Match" in request.headers and key in self.objects:
                if self.wrong == "refused copy destroys":
                    self.objects[key] = self.objects[source]
                return problem("PreconditionFailed", 412)
            self.objects[key] = self.objects[source]
            return Response(f"<CopyObjectResult><ETag>{self.objects[key][1]['ETag']}</ETag></CopyObjectResult>")
        if "If-None-Match" in request.headers and key in self.objects:
            return problem("PreconditionFailed", 412)
        if self.wrong == "framing" and "x-amz-checksum-crc32" in request.headers:  # its kind over plain HTTP
            data = b"4\r\n" + data + b"\r\n0\r\n\r\n"
        if self.wrong == "drops content":
            data = b""
        own = request.headers.get("x-amz-meta-sha256")
        if self.wrong == "keeps metadata" and key in self.objects:
            own = self.objects[key][1].get("x-amz-meta-sha256")
        self.keep(key, data, **({"x-amz-meta-sha256": own} if own else {}))
        etag = self.objects[key][1]["ETag"]
        if self.wrong == "opaque etags":
            etag = self.objects[key][1]["ETag"] = f'"{"0" * 32}"'
        return Response(headers={"ETag": etag})

    def _delete(self, _request: Request, key: str) -> Response:
        self.objects.pop(key, None)
        return Response(status=204)


def crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def options(**more: Any) -> dict[str, Any]:
    return {"part_size": 5 * 1024 * 1024, "region": "us-east-1", **more}
