"""Typed requests to the body of generateContent. Facts: Google's API reference of November 2026."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import ChatRequest, JsonSchema, Message, Reasoning, Tool, ToolCall, ToolResult
from ipfs_accel.wire import returned
from ipfs_accel.wire.distinct import distinct
from ipfs_accel.wire.names import check_tools
from ipfs_accel.wire.roles import INSTRUCTIONS, texts_alone
from ipfs_accel.wire.schema_forms import GEMINI, adapted

from ._fields import Json
from ._parts import parts_of
from ._rules import BUDGETS, Rules

__all__ = ["body", "counted", "kept_back", "merged", "unsupported"]

MAX_INLINE_BYTES = 100 * 1024**2
_SAMPLING = ("temperature", "top_p", "top_k")
_NEVER = ("logit_bias", "user")
# Our names to the wire's, in `generationConfig`.
_CONFIG = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "n": "candidateCount",
    "max_tokens": "maxOutputTokens",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
}
_COUNTED = ("contents", "systemInstruction", "tools", "generationConfig")
# Fields that only one of the two services has; a dot leads into an object, and a list stands for its items.
_ONLY_VERTEX = (
    *("modelArmorConfig", "generationConfig.audioTimestamp", "generationConfig.modelSelectionConfig"),
    *("generationConfig.routingConfig", "generationConfig.imageConfig.personGeneration"),
    *("generationConfig.imageConfig.outputMimeType", "generationConfig.imageConfig.outputCompressionQuality"),
    *("safetySettings.method", "tools.enterpriseWebSearch", "tools.retrieval"),
    *("toolConfig.functionCallingConfig.streamFunctionCallArguments",),
)
_ONLY_DEVELOPER = (
    *("store", "generationConfig.enableEnhancedCivicAnswers", "tools.fileSearch"),
    *("toolConfig.includeServerSideToolInvocations",),
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
_NAMES = "Gemini takes names of 1 to 128 letters, digits, '_', '.', ':' and '-' that begin with a letter or '_'"
_CACHED = ("systemInstruction", "tools", "toolConfig")
_TRIVIAL = {"type", "properties", "required", "additionalProperties", "$schema", "title"}


def unsupported(request: ChatRequest, rules: Rules) -> tuple[str, ...]:
    """Return the options that the caller gave and the model does not have."""
    names = _NEVER if rules.sampling else (*_SAMPLING, *_NEVER)
    found = [name for name in names if getattr(request, name) is not None]
    if request.parallel_tool_calls is False:
        found.append("parallel_tool_calls")
    if request.reasoning_effort is not None and not rules.takes_effort(request.reasoning_effort):
        found.append("reasoning_effort")
    return tuple(found)


def kept_back(request: ChatRequest) -> tuple[str, ...]:
    """Name what Gemini has no place for, and thoughts with a signature: its own are in parts of its own form."""
    return returned.kept_back(request.messages, _is_taken, extra=False)


def _is_taken(_message: Message, part: Any) -> bool:
    return not isinstance(part, Reasoning) or not part.signature


def body(request: ChatRequest, rules: Rules, *, vertex: bool = False, may_be_empty: bool = False) -> Json:
    """Make the body.

    Args:
        request: The chat.
        rules: What its model takes.
        vertex: Which of the two services it is for.
        may_be_empty: Whether instructions alone will do.
    """
    _check_world(request.extra, vertex=vertex)
    made: Json = {"contents": _contents(request.messages, rules)}
    if not made["contents"] and not may_be_empty:
        raise InvalidRequestError("messages: Gemini needs at least one that is not empty and no system message")
    above = _instruction(request.messages, rules)
    if above:
        made["systemInstruction"] = {"role": "user", "parts": above}
    if request.tools:
        check_tools(request.tools, _NAME, _NAMES)
        made["tools"] = [{"functionDeclarations": [_declaration(tool) for tool in request.tools]}]
    calling = _calling(request)
    if calling:
        made["toolConfig"] = {"functionCallingConfig": calling}
    config = _config(request, rules)
    if config:
        made["generationConfig"] = config
    made = merged(made, request.extra)
    if "cachedContent" in made:
        _check_cached(made)
    _check_config(made.get("generationConfig"))
    _check_size(made["contents"])
    return made


def counted(request: ChatRequest, rules: Rules, resource: str, *, vertex: bool) -> Json:
    """Make the body of a request that counts the tokens of another."""
    made = body(request, rules, vertex=vertex)
    if vertex:
        return {name: made[name] for name in _COUNTED if name in made}
    return {"contents": made["contents"]} if len(made) == 1 else {"generateContentRequest": {"model": resource, **made}}


def merged(made: Mapping[str, Any], extra: Mapping[str, Any]) -> Json:
    """Add the caller's own fields: objects are filled up, tools are added, anything else is replaced."""
    result = dict(made)
    for name, value in extra.items():
        known = result.get(name)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            result[name] = merged(known, value)
        elif name == "tools" and isinstance(known, list) and isinstance(value, list | tuple):
            result[name] = [*known, *value]
        else:
            result[name] = value
    return result


def _instruction(messages: Iterable[Message], rules: Rules) -> list[Json]:
    """Write what stands above the conversation, wherever it was said: the API has one place for it."""
    texts_alone(tuple(messages), INSTRUCTIONS, "Gemini")
    above = [(index, message) for index, message in enumerate(messages) if message.role in INSTRUCTIONS]
    return [each for index, message in above for each in _written(message, index, rules, {})]


def _contents(messages: Iterable[Message], rules: Rules) -> list[Json]:
    """Write the turns; neighbours of the same side are one."""
    contents: list[Json] = []
    names: dict[str, str] = {}
    numbers: dict[str, int] = {}
    turns = [(index, each) for index, each in enumerate(distinct(messages)) if each.role not in INSTRUCTIONS]
    for is_model, run in groupby(turns, lambda turn: turn[1].role == "assistant"):
        if is_model:
            said = list(run)
            calls = [each for _, message in said for each in message.content if isinstance(each, ToolCall)]
            names |= {call.id: call.name for call in calls}
            numbers = {call.id: number for number, call in enumerate(calls)}
            parts = [each for index, message in said for each in _written(message, index, rules, names)]
            contents += [{"role": "model", "parts": parts}] if parts else []
        else:
            contents += _user_turns(run, rules, names, numbers)
    return contents


def _user_turns(
    run: Iterable[tuple[int, Message]], rules: Rules, names: Mapping[str, str], numbers: Mapping[str, int]
) -> list[Json]:
    """Write what the user's side says: first the results of all calls, in their order, and apart from the rest."""
    results: list[tuple[int, Json]] = []
    others: list[Json] = []
    index = 0
    for index, message in run:
        given = iter([numbers.get(each.tool_call_id, 0) for each in message.content if isinstance(each, ToolResult)])
        for each in _written(message, index, rules, names):
            if "functionResponse" in each:
                results.append((next(given, 0), each))
            else:
                others.append(each)
    results.sort(key=itemgetter(0))
    if results:
        _check_answered([number for number, _ in results], numbers, index)
    turns = [[each for _, each in results], others]
    return [{"role": "user", "parts": parts} for parts in turns if parts]


def _check_answered(found: Iterable[int], numbers: Mapping[str, int], index: int) -> None:
    """Refuse results of only some of the calls that were made at once."""
    missing = [call for call, number in numbers.items() if number not in found]
    if missing:
        raise InvalidRequestError(
            f"messages[{index}]: the tool call {missing[0]!r} has no result",
            hint="Gemini wants the results of all calls of an answer at once",
        )


def _written(message: Message, index: int, rules: Rules, names: Mapping[str, str]) -> list[Json]:
    def name_of(result: ToolResult) -> str:
        name = names.get(result.tool_call_id)
        if name is None:
            raise InvalidRequestError(
                f"tool_call_id: {result.tool_call_id!r} is no call of a message before",
                hint="Gemini wants the name of the tool, which the message with the call has",
            )
        return name

    try:
        return parts_of(message, rules, name_of)
    except InvalidRequestError as error:
        raise InvalidRequestError(f"messages[{index}]: {error.message}", hint=error.hint) from None


def _declaration(tool: Tool) -> Json:
    made: Json = {"name": tool.name}
    if tool.description is not None:
        made["description"] = tool.description
    # An object without properties is refused, and no parameters mean the same.
    if tool.parameters.get("properties") or tool.parameters.keys() - _TRIVIAL:
        made["parametersJsonSchema"] = tool.parameters
    return made


def _calling(request: ChatRequest) -> Json:
    choice = request.tool_choice
    if not request.tools:
        if choice not in {None, "auto", "none"} and "tools" not in request.extra:
            raise InvalidRequestError(f"tool_choice: {choice!r} demands a call, and there are no tools")
        return {}
    is_strict = any(tool.strict for tool in request.tools)
    if choice in {None, "auto"}:
        return {"mode": "VALIDATED"} if is_strict else {"mode": "AUTO"} if choice else {}
    if choice in {"none", "required"}:
        return {"mode": "NONE" if choice == "none" else "ANY"}
    return {"mode": "ANY", "allowedFunctionNames": [choice]}


def _config(request: ChatRequest, rules: Rules) -> Json:
    left_out = () if rules.sampling else _SAMPLING
    made: Json = {
        theirs: getattr(request, ours)
        for ours, theirs in _CONFIG.items()
        if ours not in left_out and getattr(request, ours) is not None
    }
    if request.stop is not None:
        made["stopSequences"] = list(request.stop)
    if request.top_logprobs is not None:
        made["responseLogprobs"] = True
    wanted = request.response_format
    if isinstance(wanted, JsonSchema):
        made |= {"responseMimeType": "application/json", "responseJsonSchema": adapted(wanted, GEMINI)}
    elif wanted == "json":
        made["responseMimeType"] = "application/json"
    thinking = _thinking(request, rules)
    if thinking:
        made["thinkingConfig"] = thinking
    return made


def _thinking(request: ChatRequest, rules: Rules) -> Json:
    """Return how much to think, unless the caller says it in the API's own words: both at once are refused."""
    effort = request.reasoning_effort
    own = request.extra.get("generationConfig")
    said = own.get("thinkingConfig") if isinstance(own, Mapping) else None
    is_said = isinstance(said, Mapping) and not said.keys().isdisjoint({"thinkingLevel", "thinkingBudget"})
    if effort is None or is_said or not rules.takes_effort(effort):
        return {}
    return {"thinkingLevel": effort} if rules.thinking == "level" else {"thinkingBudget": BUDGETS[effort]}


def _check_size(contents: Iterable[Any]) -> None:
    """Refuse what would be too long, by what is certainly most of it: files as base64."""
    parts = [part for content in contents for part in content.get("parts") or ()]
    size = sum([len(part["inlineData"].get("data") or "") for part in parts if "inlineData" in part])
    if size > MAX_INLINE_BYTES:
        raise InvalidRequestError(
            f"messages: their files have {size} bytes as base64, and Gemini takes {MAX_INLINE_BYTES} in a request",
            hint="upload large files with upload_file, and give their file_id",
        )


def _check_cached(made: Json) -> None:
    found = [name for name in _CACHED if name in made]
    if found:
        raise InvalidRequestError(
            f"extra['cachedContent']: a request with cached content has no {' and '.join(found)} of its own",
            hint="put the system message and the tools into the cached content",
        )


def _check_config(config: Any) -> None:
    """Refuse settings that exclude each other, with their names."""
    if not isinstance(config, Mapping):
        return
    thinking = config.get("thinkingConfig")
    both = ("thinkingLevel", "thinkingBudget")
    if isinstance(thinking, Mapping) and all(name in thinking for name in both):
        raise InvalidRequestError(f"extra['generationConfig']: {' and '.join(both)} exclude each other")
    schemas = [name for name in ("responseSchema", "responseJsonSchema") if name in config]
    if len(schemas) > 1:
        raise InvalidRequestError(f"extra['generationConfig']: {' and '.join(schemas)} exclude each other")
    if schemas and "responseMimeType" not in config:
        raise InvalidRequestError(
            f"extra['generationConfig']: {schemas[0]} needs responseMimeType",
            hint='add "responseMimeType": "application/json"',
        )


def _check_world(extra: Mapping[str, Any], *, vertex: bool) -> None:
    """Refuse fields that only the other service knows, with a clear word instead of the server's."""
    for path in _ONLY_DEVELOPER if vertex else _ONLY_VERTEX:
        if extra and _has(extra, path.split(".")):
            here, there = ("Vertex AI", "the Gemini API") if vertex else ("the Gemini API", "Vertex AI")
            raise InvalidRequestError(f"extra[{path!r}]: only {there} has it, and this endpoint is {here}")


def _has(value: Any, path: list[str]) -> bool:
    if isinstance(value, list | tuple):
        return any(_has(each, path) for each in value)
    if not isinstance(value, Mapping) or path[0] not in value:
        return False
    return len(path) == 1 or _has(value[path[0]], path[1:])
