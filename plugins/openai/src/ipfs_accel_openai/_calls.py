"""Calls of OpenAI's own: responses and chats that it keeps, batches of any route, models of one's own.

A user reaches them with `client.call("openai", name, …)`, or `client.stream_call` where it says so. Answers are the
service's JSON unless another type is named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ipfs_accel.plans import Endpoint, Http, HttpRequest, HttpResponse, HttpStream, Pairs, get, post_json, segment
from ipfs_accel.types import ChatResponse
from ipfs_accel.wire.late import late
from ipfs_accel.wire.openai_answers import read_chat
from ipfs_accel.wire.openai_errors import checked
from ipfs_accel.wire.openai_files import batch_of
from ipfs_accel.wire.sse import SSEDecoder

if TYPE_CHECKING:
    from ipfs_accel.plans import Plan, StreamPlan
    from ipfs_accel.types import Batch
    from ipfs_accel.wire import openai_responses_answers as answers
else:  # chats do not need it
    (answers,) = late("ipfs_accel.wire", "openai_responses_answers")

__all__ = ["calls"]

Json = dict[str, Any]


def calls(path: Callable[[Endpoint, str], str]) -> Mapping[str, Callable[..., Plan[Any] | StreamPlan[Any]]]:
    """Return the calls by name; `path` says where a route is."""
    own = _Calls(path)
    return {
        "batch_of_file": own.batch_of_file,
        "cancel_response": own.cancel_response,
        "compact": own.compact,
        "container_file": own.container_file,
        "delete_chat": own.delete_chat,
        "delete_model": own.delete_model,
        "delete_response": own.delete_response,
        "kept_chat": own.kept_chat,
        "kept_chat_messages": own.kept_chat_messages,
        "kept_chats": own.kept_chats,
        "response": own.response,
        "response_items": own.response_items,
        "stream_response": own.stream_response,
        "update_chat": own.update_chat,
    }


class _Calls:
    def __init__(self, path: Callable[[Endpoint, str], str]) -> None:
        self._path = path

    def response(self, endpoint: Endpoint, *, id: str, include: Sequence[str] = ()) -> Plan[ChatResponse]:  # noqa: A002 - the field's own name
        """Return a kept response as a `ChatResponse`; its finish reason is queued or in_progress until it is over."""
        path = self._path(endpoint, f"/responses/{segment(id)}")
        return Http(send=get(path, query=_several("include", include)), parse=answers.read_response)

    def stream_response(
        self,
        endpoint: Endpoint,
        *,
        id: str,  # noqa: A002 - the field's own name
        starting_after: int | None = None,
        include: Sequence[str] = (),
    ) -> StreamPlan[ChatResponse]:
        """Stream a response that was begun as a stream in the background, from an event's `sequence_number` on."""
        query = (("stream", "true"), *_given(starting_after=starting_after), *_several("include", include))
        return HttpStream(
            send=get(self._path(endpoint, f"/responses/{segment(id)}"), query=query),
            frames=SSEDecoder,
            decoder=answers.ResponseDecoder,
            assembler=answers.assembler,
        )

    def cancel_response(self, endpoint: Endpoint, *, id: str) -> Plan[ChatResponse]:  # noqa: A002 - the field's own name
        """End a response that is made in the background; returns it as a `ChatResponse`."""
        return _ask("POST", self._path(endpoint, f"/responses/{segment(id)}/cancel"), answers.read_response)

    def delete_response(self, endpoint: Endpoint, *, id: str) -> Plan[Any]:  # noqa: A002 - the field's own name
        """Delete a kept response."""
        return _ask("DELETE", self._path(endpoint, f"/responses/{segment(id)}"))

    def response_items(
        self,
        endpoint: Endpoint,
        *,
        id: str,  # noqa: A002 - the field's own name
        after: str | None = None,
        limit: int | None = None,
        order: str | None = None,
        include: Sequence[str] = (),
    ) -> Plan[Any]:
        """List what a kept response was made of; one page."""
        query = (*_given(after=after, limit=limit, order=order), *_several("include", include))
        return _list(self._path(endpoint, f"/responses/{segment(id)}/input_items"), query)

    def compact(self, endpoint: Endpoint, **fields: Any) -> Plan[Any]:
        """Compact a conversation: `model`, `input`, `previous_response_id` and so on, as they are on the wire."""
        return Http(send=post_json(self._path(endpoint, "/responses/compact"), fields), parse=_object)

    def container_file(self, endpoint: Endpoint, *, container: str, file: str) -> Plan[bytes]:
        """Fetch a file that a hosted tool has made, whose citation names container and file; returns its bytes."""
        path = f"/containers/{segment(container)}/files/{segment(file)}/content"
        return Http(send=HttpRequest(method="GET", path=self._path(endpoint, path)), parse=lambda answer: answer.body)

    def kept_chats(
        self,
        endpoint: Endpoint,
        *,
        model: str | None = None,
        metadata: Mapping[str, str] | None = None,
        after: str | None = None,
        limit: int | None = None,
        order: str | None = None,
    ) -> Plan[Any]:
        """List the chats that were made with `store: true`; one page."""
        pairs = tuple([(f"metadata[{name}]", value) for name, value in (metadata or {}).items()])
        query = (*_given(after=after, limit=limit), *pairs, *_given(model=model, order=order))
        return _list(self._path(endpoint, "/chat/completions"), query)

    def kept_chat(self, endpoint: Endpoint, *, id: str) -> Plan[ChatResponse]:  # noqa: A002 - the field's own name
        """Return a kept chat as a `ChatResponse`."""
        return Http(send=get(self._path(endpoint, f"/chat/completions/{segment(id)}")), parse=read_chat)

    def kept_chat_messages(
        self,
        endpoint: Endpoint,
        *,
        id: str,  # noqa: A002 - the field's own name
        after: str | None = None,
        limit: int | None = None,
        order: str | None = None,
    ) -> Plan[Any]:
        """List the messages of a kept chat; one page."""
        path = self._path(endpoint, f"/chat/completions/{segment(id)}/messages")
        return _list(path, _given(after=after, limit=limit, order=order))

    def update_chat(
        self,
        endpoint: Endpoint,
        *,
        id: str,  # noqa: A002 - the field's own name
        metadata: Mapping[str, str] | None,
    ) -> Plan[ChatResponse]:
        """Give a kept chat other notes."""
        body = {"metadata": None if metadata is None else dict(metadata)}
        return Http(send=post_json(self._path(endpoint, f"/chat/completions/{segment(id)}"), body), parse=read_chat)

    def delete_chat(self, endpoint: Endpoint, *, id: str) -> Plan[Any]:  # noqa: A002 - the field's own name
        """Delete a kept chat."""
        return _ask("DELETE", self._path(endpoint, f"/chat/completions/{segment(id)}"))

    def delete_model(self, endpoint: Endpoint, *, model: str) -> Plan[Any]:
        """Delete a model that one has fine-tuned."""
        return _ask("DELETE", self._path(endpoint, f"/models/{segment(model)}"))

    def batch_of_file(
        self, endpoint: Endpoint, *, file: str, route: str, completion_window: str = "24h", **fields: Any
    ) -> Plan[Batch]:
        """Hand in a file of lines that is kept already, for any route that takes batches, such as /v1/moderations."""
        body = {"input_file_id": file, "endpoint": route, "completion_window": completion_window, **fields}
        send = post_json(self._path(endpoint, "/batches"), body)
        return Http(send=send, parse=lambda response: batch_of(checked(response.json())))


def _given(**values: Any) -> Pairs:
    return tuple([(name, str(value)) for name, value in values.items() if value is not None])


def _several(name: str, values: Sequence[str]) -> Pairs:
    return tuple([(f"{name}[]", value) for value in values])


def _object(response: HttpResponse) -> Json:
    return checked(response.json())


def _ask(method: str, path: str, parse: Callable[[HttpResponse], Any] = _object) -> Http[Any]:
    headers = (("accept", "application/json"),)
    return Http(send=HttpRequest(method=method, path=path, headers=headers), parse=parse)


def _list(path: str, query: Pairs) -> Http[Any]:
    return Http(send=get(path, query=query), parse=_object)
