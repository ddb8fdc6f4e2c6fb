"""Typed requests to the body of POST /v1/messages. Facts: Anthropic's API reference of the version 2026-10-21."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.plans import Pairs
from ipfs_accel.types import (
    ChatRequest,
    Document,
    Image,
    JsonSchema,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    sniff_media_type,
)
from ipfs_accel.wire import returned
from ipfs_accel.wire.documents import text_of
from ipfs_accel.wire.names import check_called, check_model, check_tools
from ipfs_accel.wire.openai_requests import with_own_tools
from ipfs_accel.wire.roles import INSTRUCTIONS, texts_alone
from ipfs_accel.wire.schema_forms import CLAUDE, adapted

from ._ids import CallIds
from ._rules import Rules

__all__ = ["NEWEST", "beta", "block", "body", "counted", "headers", "kept_back", "unsupported", "version_for"]

Body = dict[str, Any]

NEWEST = "2026-10-21"
WITH_SAMPLING = "2023-06-01"

_SAMPLING = ("temperature", "top_p", "top_k")
_NEVER = ("seed", "n", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs")
# What the counting of tokens neither needs nor takes.
_NOT_COUNTED = {
    *("max_tokens", "stop_sequences", "metadata", "stream", "service_tier", "container", "inference_geo"),
    *("diagnostics", "fallbacks", "fallback_credit_token", "thread", *_SAMPLING),
}
_IMAGES = {"image/jpeg", "image/png", "image/gif", "image/webp"}
_BETAS = "betas"
_TOOL_NAME, _CALLED_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}"), re.compile(r"[A-Za-z0-9_-]+")
_NAMES = "Claude takes names of 1 to 128 letters, digits, '_' and '-'"


def block(part: Part, **fields: Any) -> Opaque:
    """Write a part with fields that only Claude has: `block(Document.from_path("a.pdf"), citations={"enabled": True})`.

    Raises:
        InvalidRequestError: There is nothing in the part that Claude takes.
    """
    made = _block(part, CallIds(), cites=True)
    if made is None:
        raise InvalidRequestError(f"{type(part).__name__}: there is nothing in it that Claude takes")
    return Opaque(backend="claude", data={**made, **fields})


def headers(body: Body, rules: Rules, extra: Mapping[str, Any]) -> Pairs:
    """Return the version of the API, the older one for models that still take sampling, and the call's own betas."""
    return (("anthropic-version", version_for(body, rules)), *beta(extra))


def version_for(body: Mapping[str, Any], rules: Rules) -> str:
    """Return the version of the API that takes a body."""
    return WITH_SAMPLING if rules.sampling and any(name in body for name in _SAMPLING) else NEWEST


def beta(extra: Mapping[str, Any]) -> Pairs:
    """Return the header that switches on the beta features in `extra`, where the SDK has them too."""
    names = extra.get(_BETAS)
    if not names:
        return ()
    return (("anthropic-beta", names if isinstance(names, str) else ",".join(names)),)


def unsupported(request: ChatRequest, rules: Rules) -> tuple[str, ...]:
    """Return the options that the caller gave and the model does not have."""
    names = _NEVER if rules.sampling else (*_SAMPLING, *_NEVER)
    found = [name for name in names if getattr(request, name) is not None]
    if request.n == 1:
        found.remove("n")
    if request.response_format == "json":
        found.append("response_format")
    if _demands_call(request) and not rules.forced_choice:
        found.append("tool_choice")
    if request.reasoning_effort is not None and not rules.effort:
        found.append("reasoning_effort")
    return tuple(found)


def kept_back(request: ChatRequest, rules: Rules) -> tuple[str, ...]:
    """Name what Claude's API has no place for, and the thoughts that it would refuse: those that it has not signed."""
    return returned.kept_back(request.messages, lambda _message, part: _is_taken(part, rules), extra=False)


def _is_taken(part: Any, rules: Rules) -> bool:
    return not isinstance(part, Reasoning) or bool(part.signature) or not rules.own


def body(request: ChatRequest, rules: Rules, *, max_tokens: int, stream: bool = False) -> Body:
    """Make the body; `max_tokens` is required by the API and used where the caller gave none."""
    ids = CallIds()
    system, turns = _split_system(request.messages, rules, ids)
    made: Body = {"model": request.model} if request.model else {}
    made["max_tokens"] = request.max_tokens or max_tokens
    if system:
        made["system"] = system
    made["messages"] = _turns(turns, rules, ids)
    if rules.own:
        _check(request)
    _check_prefill(request, rules)
    if rules.sampling:
        made |= {name: getattr(request, name) for name in _SAMPLING if getattr(request, name) is not None}
    if request.stop is not None:
        made["stop_sequences"] = list(request.stop)
    if request.tools:
        made["tools"] = [_tool(tool) for tool in request.tools]
    choice = _tool_choice(request, rules)
    if choice:
        made["tool_choice"] = choice
    output = _output_config(request, rules)
    if output:
        made["output_config"] = output
    if request.user is not None:
        made["metadata"] = {"user_id": request.user}
    if stream:
        made["stream"] = True
    made.update({name: value for name, value in request.extra.items() if name != _BETAS})
    return with_own_tools(made, [_tool(tool) for tool in request.tools], request.extra)


def counted(request: ChatRequest, rules: Rules) -> Body:
    """Make the body of a request that counts the tokens of another."""
    made = body(request, rules, max_tokens=1)
    return {name: value for name, value in made.items() if name not in _NOT_COUNTED}


def _check(request: ChatRequest) -> None:
    """Refuse names and stops that the API refuses."""
    check_model(request, "Claude's API")
    check_tools(request.tools, _TOOL_NAME, _NAMES)
    check_called(request.messages, _CALLED_NAME, _NAMES)
    for index, stop in enumerate(request.stop or ()):
        if not stop or stop.isspace():
            raise InvalidRequestError(
                f"stop[{index}]: Claude takes no stop of white space alone, such as {stop!r}",
                hint="leave it out, and cut the answer there",
            )


def _split_system(
    messages: tuple[Message, ...], rules: Rules, ids: CallIds
) -> tuple[str | list[Body], list[tuple[int, Message]]]:
    """Move what stands above the conversation out of it; later instructions stay where the model takes them."""
    texts_alone(messages, INSTRUCTIONS, "Claude")
    above: list[Body] = []
    turns: list[tuple[int, Message]] = []
    for index, message in enumerate(messages):
        if message.role in INSTRUCTIONS and not (turns and rules.inner_system):
            above += _blocks(message, index, rules, ids)
        else:
            turns.append((index, message))
    if not turns:
        raise InvalidRequestError("messages: Claude needs at least one that is not a system message")
    if all(_is_plain(each) for each in above):
        return "\n\n".join([each["text"] for each in above]), turns
    return above, turns


def _turns(messages: Iterable[tuple[int, Message]], rules: Rules, ids: CallIds) -> list[Body]:
    """Write the turns; all results of parallel calls and what follows them have to be one user turn, results first."""
    turns: list[Body] = []
    for index, message in messages:
        role = {"tool": "user", "developer": "system"}.get(message.role, message.role)
        blocks = _blocks(message, index, rules, ids)
        if role == "user":
            if not blocks and message.text:
                raise InvalidRequestError(f"messages[{index}]: it is white space alone, which Claude refuses")
            blocks.sort(key=_is_no_result)
            if turns and turns[-1]["role"] == "user" and not _is_no_result(turns[-1]["content"][0]):
                turns[-1]["content"] = sorted([*turns[-1]["content"], *blocks], key=_is_no_result)
                continue
        if blocks:
            turns.append({"role": role, "content": blocks})
    _trim_prefill(turns)
    if not turns:
        raise InvalidRequestError("messages: they are all empty, and Claude takes no empty text")
    for turn in turns:
        turn["content"] = _short(turn["content"])
    return turns


def _blocks(message: Message, index: int, rules: Rules, ids: CallIds) -> list[Body]:
    blocks: list[Body] = []
    try:
        for part in message.content:
            if not rules.own and isinstance(part, Reasoning) and part.text and not part.signature:
                blocks.append({"type": "thinking", "thinking": part.text})
                continue
            made = _block(part, ids, blank=not rules.own, cites=message.role == "assistant")
            if made is None:
                continue
            if made.get("type") == "tool_use" and "input" not in made:
                # What else Claude said of a call; see `_answers`.
                made["id"] = ids.last(str(made.get("id")))
                for call in blocks:
                    if call.get("id") == made["id"]:
                        call.update(made)
            else:
                blocks.append(made)
    except InvalidRequestError as error:
        raise InvalidRequestError(f"messages[{index}]: {error.message}", hint=error.hint) from None
    return blocks


def _check_prefill(request: ChatRequest, rules: Rules) -> None:
    """Refuse an answer to go on with where the model does; what else an answer may hold is sent back to go on."""
    last = request.messages[-1]
    is_begun = last.role == "assistant" and all(isinstance(part, Text | Reasoning) for part in last.content)
    if is_begun and last.text and not rules.prefill:
        raise InvalidRequestError(
            f"messages[{len(request.messages) - 1}]: {request.model or 'the model'} does not go on with an answer",
            hint="end with a user's message; for a certain form of the answer use response_format=JsonSchema(…)",
        )


def _is_no_result(made: Body) -> bool:
    return made.get("type") != "tool_result"


def _is_plain(made: Body) -> bool:
    return made.keys() == {"type", "text"}


def _short(blocks: Sequence[Body]) -> Any:
    return blocks[0]["text"] if len(blocks) == 1 and _is_plain(blocks[0]) else blocks


def _trim_prefill(turns: list[Body]) -> None:
    """Cut white space from the end of an answer to go on with, which the API refuses."""
    last = turns[-1]["content"] if turns and turns[-1]["role"] == "assistant" else ()
    if last and _is_plain(last[-1]):
        text = last[-1]["text"].rstrip()
        last[-1:] = [{"type": "text", "text": text}] if text else []
        if not last:
            turns.pop()


def _block(part: Part, ids: CallIds, *, blank: bool = False, cites: bool = False) -> Body | None:
    """Write one part; what says nothing or was another provider's is left out.

    Empty text is refused, and so is white space alone unless the model is another's (`blank`).
    """
    if isinstance(part, Text | Refusal):
        is_said = part.text and (blank or not part.text.isspace())
        return _text(part, cites=cites) if is_said else None
    if isinstance(part, Image):
        return {"type": "image", "source": _image_source(part)}
    if isinstance(part, Document):
        title = {"title": part.name} if part.name else {}
        return {"type": "document", "source": _document_source(part), **title}
    if isinstance(part, ToolCall):
        return {"type": "tool_use", "id": ids.of_call(part.id), "name": part.name, "input": _arguments(part)}
    if isinstance(part, ToolResult):
        return _tool_result(part, ids, blank=blank)
    return _replayed(part, ids)


def _text(part: Text | Refusal, *, cites: bool) -> Body:
    """Write text, in an answer with Claude's own citations: some are needed to cite the same place again."""
    made: Body = {"type": "text", "text": part.text}
    if cites and isinstance(part, Text):
        made = {**part.extra, **made} if part.extra else made
        own = [each for each in part.annotations if str(each.get("type")).endswith("_location")]
        if own:
            made["citations"] = own
    return made


def _replayed(part: Part, ids: CallIds) -> Body | None:
    """Write what only makes sense if Claude itself said it before; without its signature, thinking would be refused."""
    if isinstance(part, Reasoning):
        return {"type": "thinking", "thinking": part.text, "signature": part.signature} if part.signature else None
    if isinstance(part, Opaque):
        return _own(dict(part.data), ids) if part.backend == "claude" else None
    raise InvalidRequestError("audio: Claude takes no sound")


def _own(made: Body, ids: CallIds) -> Body:
    """Return a block of the API's own form, with the id that its call has in this conversation."""
    if made.get("type") == "tool_use" and "input" in made:
        made["id"] = ids.of_call(str(made.get("id", "")))
    elif made.get("type") == "tool_result":
        made["tool_use_id"] = ids.of_result(str(made.get("tool_use_id", "")))
    return made


def _kept_elsewhere(part: Image | Document) -> Body | None:
    if part.file_id is not None:
        return {"type": "file", "file_id": part.file_id}
    return None if part.url is None else {"type": "url", "url": part.url}


def _image_source(part: Image) -> Body:
    elsewhere = _kept_elsewhere(part)
    if elsewhere is not None:
        return elsewhere
    # The API compares the bytes with what they are said to be, so what they tell themselves counts.
    kind = sniff_media_type(part.data or b"") or part.media_type
    if kind not in _IMAGES:
        raise InvalidRequestError(f"image: Claude takes JPEG, PNG, GIF and WebP, not {kind}")
    return {"type": "base64", "media_type": kind, "data": part.base64()}


def _document_source(part: Document) -> Body:
    elsewhere = _kept_elsewhere(part)
    if elsewhere is not None:
        return elsewhere
    kind = part.media_type or ""
    if kind == "application/pdf":
        return {"type": "base64", "media_type": kind, "data": part.base64()}
    text = text_of(part)
    if text is None:
        raise InvalidRequestError(f"document: Claude takes PDF and text, not {kind}", hint="convert it to one of them")
    return {"type": "text", "media_type": "text/plain", "data": text}


def _arguments(call: ToolCall) -> Any:
    try:
        return call.parse_arguments()
    except ValueError as error:
        raise InvalidRequestError(f"tool_calls: Claude takes arguments as an object: {error}") from None


def _tool_result(result: ToolResult, ids: CallIds, *, blank: bool) -> Body:
    blocks = [written for part in result.content if (written := _block(part, ids, blank=blank)) is not None]
    made: Body = {"type": "tool_result", "tool_use_id": ids.of_result(result.tool_call_id)}
    if blocks:
        made["content"] = _short(blocks)
    if result.is_error:
        made["is_error"] = True
    return made


def _tool(tool: Tool) -> Body:
    made: Body = {"name": tool.name, "input_schema": tool.parameters}
    if tool.description is not None:
        made["description"] = tool.description
    if tool.strict is not None:
        made["strict"] = tool.strict
    return made


def _demands_call(request: ChatRequest) -> bool:
    return request.tool_choice not in {None, "auto", "none"}


def _tool_choice(request: ChatRequest, rules: Rules) -> Body:
    choice = request.tool_choice
    if not request.tools and "tools" not in request.extra:
        if _demands_call(request):
            raise InvalidRequestError(f"tool_choice: {choice!r} demands a call, and there are no tools")
        return {}  # it says nothing without tools, and is refused
    if choice == "none":
        return {"type": "none"}
    made: Body = {}
    if choice is not None and (rules.forced_choice or choice == "auto"):
        made = {"type": "tool", "name": choice}
        if choice in {"auto", "required"}:
            made = {"type": "auto" if choice == "auto" else "any"}
    if request.parallel_tool_calls is not None:
        made = {"type": "auto", **made, "disable_parallel_tool_use": not request.parallel_tool_calls}
    return made


def _output_config(request: ChatRequest, rules: Rules) -> Body:
    made: Body = {}
    if request.reasoning_effort is not None and rules.effort:
        made["effort"] = request.reasoning_effort
    if isinstance(request.response_format, JsonSchema):
        made["format"] = {"type": "json_schema", "schema": adapted(request.response_format, CLAUDE)}
    return made
