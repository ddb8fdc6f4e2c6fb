"""OpenAI's dialect, files that the provider keeps and batches of requests that it works off later.

class Acme(OpenAIFiles, OpenAICompatible): ...
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from ipfs_accel import plans, strict_json, types
from ipfs_accel._headers import Headers
from ipfs_accel.errors import (
    APIError,
    APIStatusError,
    InvalidRequestError,
    InvalidResponseError,
    StreamIncomplete,
    class_for_status,
)
from ipfs_accel.hookspecs import hookimpl
from ipfs_accel.plans import Endpoint, Http, HttpRequest, HttpResponse, HttpStream, get, json_bytes, post_json, segment
from ipfs_accel.types import ChatRequest

from .collector import Collector, download
from .fields import field
from .late import late
from .lists import Page, check_over, paged
from .ndjson import NDJSONDecoder
from .openai_answers import chat_of, completion_of, embeddings_of
from .openai_audio import form_fields
from .openai_errors import checked, error_in_body, read_error
from .openai_routes import Routes
from .returned import kept_back_of_batch

if TYPE_CHECKING:
    from ipfs_accel.plans import Flow, Job, Plan, StreamPlan
    from ipfs_accel.types import (
        Answer,
        Batch,
        BatchItem,
        BatchRequest,
        BatchResult,
        BatchSummary,
        FileInfo,
        Request,
        Transfer,
        UploadRequest,
    )
    from ipfs_accel.types._jobs import BatchStatus

    from . import multipart
else:  # chats do not need it
    (multipart,) = late(__package__, "multipart")

__all__ = ["OpenAIFiles", "batch_of", "file_of"]

Json = dict[str, Any]

_GIGABYTE = 1 << 30
_PAGE = 100
_JSON = (("accept", "application/json"),)
_STATES = {"validating", "in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled"}
_KINDS = {
    "ChatRequest": "/chat/completions",
    "CompletionRequest": "/completions",
    "EmbedRequest": "/embeddings",
}


class OpenAIFiles(Routes):
    """Files and batches."""

    batch_prefix: ClassVar[str] = "/v1"
    """What stands before a route inside a batch."""
    window: ClassVar[str] = "24h"
    """How long a batch may take where the caller does not say."""
    has_pages: ClassVar[bool] = True
    """Whether lists come page by page."""
    purpose: ClassVar[str] = "user_data"
    """What a file is for where the caller does not say."""

    @hookimpl
    def upload_file(self, endpoint: Endpoint, request: UploadRequest) -> Plan[FileInfo]:
        """Plan POST /files."""
        fields: Json = {"purpose": request.purpose or self.purpose}
        if request.expires_after is not None:
            fields["expires_after[anchor]"] = "created_at"
            fields["expires_after[seconds]"] = request.expires_after
        fields.update(request.extra)
        send = multipart.post_multipart(self.path(endpoint, "/files"), form_fields(fields), [("file", request.file)])
        return Http(send=send, parse=lambda response: file_of(checked(response.json())))

    @hookimpl
    def list_files(self, endpoint: Endpoint, limit: int | None) -> Plan[tuple[FileInfo, ...]]:
        """Plan GET /files, page by page."""
        return _paged(self.path(endpoint, "/files"), file_of, limit, has_pages=self.has_pages)

    @hookimpl
    def get_file(self, endpoint: Endpoint, file: str) -> Plan[FileInfo]:
        """Plan GET /files/{id}."""
        send = get(self.path(endpoint, f"/files/{segment(file)}"))
        return Http(send=send, parse=lambda response: file_of(checked(response.json())))

    @hookimpl
    def download_file(self, endpoint: Endpoint, file: str) -> StreamPlan[Transfer]:
        """Plan GET /files/{id}/content."""
        return download(self._content(endpoint, file))

    @hookimpl
    def delete_file(self, endpoint: Endpoint, file: str) -> Plan[None]:
        """Plan DELETE /files/{id}."""
        send = HttpRequest(method="DELETE", path=self.path(endpoint, f"/files/{segment(file)}"), headers=_JSON)
        return Http(send=send, parse=lambda _response: None)

    @hookimpl
    def create_batch(self, endpoint: Endpoint, request: BatchRequest) -> Plan[Batch]:
        """Plan the upload of the requests as a file of lines, then POST /batches."""
        route = self.batch_route(endpoint, request.items)
        lost = dict.fromkeys(
            name for item in request.items for name in self.batch_unsupported(endpoint, route, item.request)
        )

        back = kept_back_of_batch(request, lambda chat: self.batch_kept_back(endpoint, route, chat))

        def steps() -> Generator[Any, Any, Plan[Batch]]:
            lines = [self._line(endpoint, route, item) for item in request.items]
            upload = types.Upload(
                name="batch.jsonl", media_type="application/jsonl", data=b"".join(lines), size=sum(map(len, lines))
            )
            fields = form_fields({"purpose": "batch"})
            send = multipart.post_multipart(self.path(endpoint, "/files"), fields, [("file", upload)])
            file = yield Http(
                send=send,
                parse=lambda response: file_of(checked(response.json())),
                unsupported=tuple(lost),
                kept_back=back,
            )
            return self.batch_of_file(endpoint, file.id, self.batch_prefix + route, request)

        return plans.Flow(steps=steps)

    @hookimpl
    def list_batches(self, endpoint: Endpoint, limit: int | None) -> Plan[tuple[Batch, ...]]:
        """Plan GET /batches, page by page."""
        return _paged(self.path(endpoint, "/batches"), batch_of, limit, has_pages=self.has_pages)

    @hookimpl
    def get_batch(self, endpoint: Endpoint, batch: str) -> Plan[Batch]:
        """Plan GET /batches/{id}."""
        return Http(send=get(self.path(endpoint, f"/batches/{segment(batch)}")), parse=_read_batch)

    @hookimpl
    def cancel_batch(self, endpoint: Endpoint, batch: str) -> Plan[Batch]:
        """Plan POST /batches/{id}/cancel."""
        path = self.path(endpoint, f"/batches/{segment(batch)}/cancel")
        return Http(send=HttpRequest(method="POST", path=path, headers=_JSON), parse=_read_batch)

    @hookimpl
    def batch_results(self, endpoint: Endpoint, batch: str) -> StreamPlan[BatchSummary]:
        """Plan the reading of both result files: that of what failed first, that of the answers as a stream."""

        def steps() -> Generator[Any, Any, StreamPlan[BatchSummary]]:
            state: Batch = yield self.get_batch(endpoint, batch)
            check_over(state)
            read = _line_reader(self.batch_reader(field(state.raw, "endpoint", str)))
            failed, answered = state.raw.get("error_file_id"), state.raw.get("output_file_id")
            first: tuple[BatchResult, ...] = ()
            if failed and answered:

                def lines(response: HttpResponse) -> tuple[BatchResult, ...]:
                    return tuple([read(strict_json.loads(line)) for line in response.body.splitlines() if line.strip()])

                first = yield Http(send=self._content(endpoint, failed), parse=lines, max_bytes=_GIGABYTE)
            send = self._content(endpoint, answered or failed) if answered or failed else None
            told = (state.succeeded or 0) + (state.failed or 0) if send is not None else 0
            return _results(first, send, read, told)

        return plans.StreamFlow(steps=steps)

    def batch_of_file(self, endpoint: Endpoint, file: str, route: str, request: BatchRequest) -> Http[Batch]:
        """Plan POST /batches, for a file of lines that the provider has already."""
        body: Json = {
            "input_file_id": file,
            "endpoint": route,
            "completion_window": request.completion_window or self.window,
        }
        if request.metadata is not None:
            body["metadata"] = dict(request.metadata)
        body.update(request.extra)
        return Http(send=post_json(self.path(endpoint, "/batches"), body), parse=_read_batch)

    def batch_route(self, _endpoint: Endpoint, items: Sequence[BatchItem]) -> str:
        """Return the route that the requests of a batch are for, all the same one."""
        return _KINDS[type(items[0].request).__name__]

    def batch_body(self, endpoint: Endpoint, _route: str, request: Request) -> Json:
        """Return the JSON body of one request of a batch."""
        dialect = cast("Any", self)  # it is mixed into an OpenAICompatible
        if isinstance(request, ChatRequest):
            return dialect.chat_body(endpoint, request, stream=False)  # type: ignore[no-any-return]
        if isinstance(request, types.CompletionRequest):
            return dialect.completion_body(endpoint, request, stream=False)  # type: ignore[no-any-return]
        return dialect.embed_body(endpoint, request)  # type: ignore[no-any-return]

    def batch_unsupported(self, endpoint: Endpoint, _route: str, request: Request) -> tuple[str, ...]:
        """Return the options of a request of a batch that it cannot have."""
        return self.unsupported(endpoint, request)

    def batch_kept_back(self, endpoint: Endpoint, _route: str, request: ChatRequest) -> tuple[str, ...]:
        """Return what models said before in a chat of a batch, and the server does not take."""
        return cast("Any", self).kept_back(endpoint, request)  # type: ignore[no-any-return]

    def batch_reader(self, route: str) -> Callable[[Json], Answer]:
        """Return what reads the answer to one request of a batch for this route."""
        return next((read for end, read in _READERS.items() if route.endswith(end)), _raw)

    def _content(self, endpoint: Endpoint, file: str) -> HttpRequest:
        path = self.path(endpoint, f"/files/{segment(file)}/content")
        return HttpRequest(method="GET", path=path, headers=(("accept", "application/binary"),))

    def _line(self, endpoint: Endpoint, route: str, item: BatchItem) -> bytes:
        name, request = item.id, item.request
        if not request.model:
            raise InvalidRequestError(f"items[{name!r}]: it names no model", hint="create_batch('endpoint/model', …)")
        try:
            body = self.batch_body(endpoint, route, request)
            line = {"custom_id": name, "method": "POST", "url": self.batch_prefix + route, "body": body}
            return json_bytes(line) + b"\n"
        except InvalidRequestError as error:
            raise InvalidRequestError(f"items[{name!r}]: {error.message}", hint=error.hint) from None


def file_of(body: Any) -> FileInfo:
    """Read the JSON object of a file."""
    return types.FileInfo(
        id=field(body, "id", str),
        name=body.get("filename"),
        size=body.get("bytes"),
        purpose=body.get("purpose"),
        status=body.get("status"),
        created=body.get("created_at"),
        expires=body.get("expires_at"),
        raw=body,
    )


def _read_batch(response: HttpResponse) -> Batch:
    return batch_of(checked(response.json()))


def batch_of(body: Any) -> Batch:
    """Read the JSON object of a batch."""
    counts = body.get("request_counts") or {}
    errors = body.get("errors")
    problems = (errors.get("data") or ()) if isinstance(errors, dict) else ()
    status = field(body, "status", str)
    return types.Batch(
        id=field(body, "id", str),
        status=cast("BatchStatus", status if status in _STATES else "in_progress"),
        created=body.get("created_at"),
        ended=next((body[name] for name in _ENDS if body.get(name) is not None), None),
        expires=body.get("expires_at"),
        total=counts.get("total"),
        succeeded=counts.get("completed"),
        failed=counts.get("failed"),
        errors=tuple([_problem(problem) for problem in problems]),
        metadata=body.get("metadata") or {},
        raw=body,
    )


_ENDS = ("completed_at", "failed_at", "expired_at", "cancelled_at")


def _problem(problem: Any) -> str:
    if not isinstance(problem, dict):
        return str(problem)
    where = f"line {problem['line']}: " if problem.get("line") is not None else ""
    return f"{where}{problem.get('message') or problem.get('code')}"


def _paged(path: str, read: Callable[[Any], Any], limit: int | None, *, has_pages: bool) -> Flow[tuple[Any, ...]]:
    """Plan the reading of a list that goes on after the last id of each page."""

    def parse(response: HttpResponse) -> Page[Any]:
        body = checked(response.json())
        found = [read(item) for item in field(body, "data", list)]
        goes_on = has_pages and body.get("has_more") and found
        return found, (body.get("last_id") or found[-1].id) if goes_on else None

    def page(size: int, after: str | None) -> Http[Page[Any]]:
        query = (("limit", str(size)), *((("after", after),) if after else ()))
        return Http(send=get(path, query=query if has_pages else ()), parse=parse)

    return paged(page, limit=limit, most=_PAGE)


def _line_reader(read: Callable[[Json], Answer]) -> Callable[[Any], BatchResult]:
    """Return what reads a line of a result file, whose answers `read` reads."""

    def line(value: Any) -> BatchResult:
        name = field(value, "custom_id", str)
        answer, error = value.get("response"), value.get("error")
        body = answer.get("body") if isinstance(answer, dict) else None
        status = answer.get("status_code") if isinstance(answer, dict) else None
        if error:
            return types.BatchResult(id=name, error=error_in_body({"error": error}))
        if not isinstance(status, int) or not 200 <= status < 300:  # noqa: PLR2004
            return types.BatchResult(id=name, error=_failure(body, status))
        if not isinstance(body, dict):
            raise InvalidResponseError(f"the result {name!r} has no body")
        try:
            return types.BatchResult(id=name, response=read(body))
        except APIError as error:  # an error in disguise
            return types.BatchResult(id=name, error=error)

    return line


def _vectors(body: Json) -> Answer:
    return embeddings_of(body, None)


def _raw(body: Json) -> Answer:
    return types.Answer(raw=body)


_READERS: dict[str, Callable[[Json], Answer]] = {
    "/chat/completions": chat_of,
    "/embeddings": _vectors,
    "/completions": completion_of,
}


def _failure(body: Any, status: int | None) -> APIStatusError:
    """Return the error of a request that was answered with another status than a success."""
    status = status or 500
    detail = read_error(HttpResponse(status=status, headers=Headers(()), body=strict_json.dumps(body)))
    kind = detail.kind or class_for_status(status)
    return kind(
        detail.message,
        status=status,
        code=detail.code,
        body=body,
        hint=detail.hint,
        retry_after=detail.retry_after,
        retry_at=detail.retry_at,
    )


def _results(
    first: tuple[BatchResult, ...], send: HttpRequest | None, read: Callable[[Any], BatchResult], told: int
) -> StreamPlan[BatchSummary]:
    """Plan the reading of the results, of which `first` are known; as many as were `told` have to come."""

    def collector() -> Collector[BatchSummary]:
        out = Collector(partial(_summary, told=told), eof_is_end=True)
        out.kept = [0, 0]
        for result in first:  # also where no line follows them
            _keep(result, out)
        return out

    if send is None:

        def nothing(out: Collector[BatchSummary], _job: Job) -> Iterator[None]:
            out.done()
            yield

        return plans.LocalStream(run=nothing, assembler=collector)
    return HttpStream(
        send=send,
        frames=NDJSONDecoder,
        decoder=lambda: lambda line, out: _keep(read(strict_json.loads(line)), out),
        assembler=collector,
        any_type=True,
    )


def _keep(result: BatchResult, out: Collector[BatchSummary]) -> None:
    out.kept[0 if result.error is None else 1] += 1
    out.emit(result)


def _summary(out: Collector[BatchSummary], told: int) -> BatchSummary:
    if sum(out.kept) < told:
        raise StreamIncomplete(f"the results ended after {sum(out.kept)} of {told}")
    return types.BatchSummary(succeeded=out.kept[0], failed=out.kept[1])
