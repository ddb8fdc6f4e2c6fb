"""POST /models/{model}:generateContent, :streamGenerateContent and :countTokens of Gemini's API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from ipfs_accel import strict_json
from ipfs_accel.types import ChatResponse, JsonSchema, TokenCount, Tool

from ipfs_accel_gateway._errors import Refusal

from ._base import Family
from ._gemini import GEMINI, GEMINI_ARRAY, camel, event, failure, listed, refuse, refuse_others
from ._gemini_answers import Writer, answered
from ._gemini_contents import instruction, messages
from ._gemini_schemas import json_schema

__all__ = ["COUNT", "GENERATE", "STREAM", "STREAM_ARRAY"]

_READ = {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "model"}
# What concerns Google's own service, and changes nothing of the answer's form.
_IGNORED = {"safetySettings", "labels", "serviceTier", "store"}
_CONFIG = {
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "candidateCount": "n",
    "maxOutputTokens": "max_tokens",
    "stopSequences": "stop",
    "seed": "seed",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
    "responseLogprobs": "logprobs",
    "logprobs": "top_logprobs",
}
_WHOLE = {"top_k", "n", "max_tokens", "seed", "top_logprobs"}
_SCHEMAS = ("responseJsonSchema", "responseSchema")
_OF_CONFIG = {
    *_CONFIG, *_SCHEMAS, "responseMimeType", "thinkingConfig", "responseModalities", "mediaResolution",
    "enableEnhancedCivicAnswers",
}  # fmt: skip
_MODES = {"AUTO": "auto", "NONE": "none", "ANY": "required", "VALIDATED": "auto", "MODE_UNSPECIFIED": "auto"}
_BUDGETS = ((0, "none"), (1024, "low"), (8192, "medium"))


class _Route:
    """What the routes have in common."""

    name = "gemini.generate"

    def __init__(self, operation: str, family: Family, stream_type: str = "") -> None:
        self._operation = operation
        self.family = family
        self.stream_type = stream_type

    def operation(self, members: Mapping[str, Any]) -> str:  # noqa: ARG002 - the path says it
        """Return what the path asks for."""
        return self._operation

    def passes(self, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:  # noqa: ARG002
        """Return nothing: all of a request is in its path and its body."""
        return ()

    def read(self, members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
        """Return messages and options of a chat."""
        given = camel(members, "the body")
        refuse_others(given, _READ | _IGNORED, "", lenient=lenient)
        above = instruction(given["systemInstruction"]) if "systemInstruction" in given else []
        config = camel(given.get("generationConfig") or {}, "generationConfig")
        options = {**_sampling(config, lenient=lenient), **_tools(given, lenient=lenient)}
        return [*above, *messages(given.get("contents"))], options

    def write(self, answer: ChatResponse, members: Mapping[str, Any], model: str) -> bytes:
        """Return a whole answer."""
        return strict_json.dumps(answered(answer, model, thoughts=_wants_thoughts(members)))

    def writer(self, members: Mapping[str, Any], model: str) -> Writer:
        """Return what writes the events of a stream."""
        return Writer(model, thoughts=_wants_thoughts(members), frame=lambda piece, _is_first: event(piece))

    def failure(self, refusal: Refusal, request_id: str) -> bytes:
        """Return an event that is an error."""
        return event(failure(refusal, request_id))


class _Array(_Route):
    """A stream that is one JSON array."""

    def writer(self, members: Mapping[str, Any], model: str) -> Writer:
        """Return what writes the items of the array."""
        thoughts = _wants_thoughts(members)
        return Writer(
            model,
            thoughts=thoughts,
            frame=lambda piece, is_first: (b"[" if is_first else b",\r\n") + piece,
            tail=b"]",
        )

    def failure(self, refusal: Refusal, request_id: str) -> bytes:
        """Return an item that is an error; the array has no end then."""
        return b",\r\n" + failure(refusal, request_id)


class _Count(_Route):
    """How many tokens a request has."""

    name = "gemini.count_tokens"

    def read(self, members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
        """Return messages and options of the chat that is to be counted."""
        given = camel(members, "the body")
        inner = given.get("generateContentRequest")
        return super().read(given if inner is None else inner, lenient=lenient)

    def write(self, answer: TokenCount, members: Mapping[str, Any], model: str) -> bytes:  # type: ignore[override]  # noqa: ARG002
        """Return the number."""
        return strict_json.dumps({"totalTokens": answer.input_tokens})

    def writer(self, members: Mapping[str, Any], model: str) -> NoReturn:  # noqa: ARG002
        """Refuse: a number does not come as a stream."""
        raise AssertionError(self)


GENERATE = _Route("chat", GEMINI)
STREAM = _Route("stream", GEMINI, "text/event-stream")
STREAM_ARRAY = _Array("stream", GEMINI_ARRAY, "application/json")
COUNT = _Count("count_tokens", GEMINI)


def _wants_thoughts(members: Mapping[str, Any]) -> bool:
    config = camel(camel(members, "the body").get("generationConfig") or {}, "generationConfig")
    return bool(camel(config.get("thinkingConfig") or {}, "thinkingConfig").get("includeThoughts"))


def _sampling(config: Mapping[str, Any], *, lenient: bool) -> dict[str, Any]:
    refuse_others(config, _OF_CONFIG, "generationConfig.", lenient=lenient)
    modalities = listed(config.get("responseModalities"), "generationConfig.responseModalities")
    if not lenient and any(each != "TEXT" for each in modalities):
        refuse("generationConfig.responseModalities", "the model behind this name answers with text")
    options = {ours: _whole(config[theirs], ours) for theirs, ours in _CONFIG.items() if theirs in config}
    form = _form(config)
    if form is not None:
        options["response_format"] = form
    effort = _effort(camel(config.get("thinkingConfig") or {}, "generationConfig.thinkingConfig"))
    if effort is not None:
        options["reasoning_effort"] = effort
    return options


def _whole(value: Any, name: str) -> Any:
    """Return a number that has to be whole as such: Google's SDK has some of them as floats."""
    return int(value) if name in _WHOLE and isinstance(value, float) and value.is_integer() else value


def _form(config: Mapping[str, Any]) -> Any:
    kind, name = config.get("responseMimeType"), next((name for name in _SCHEMAS if name in config), None)
    if kind in {None, "text/plain"} and name is None:
        return None
    if kind != "application/json":
        refuse("generationConfig.responseMimeType", "expected application/json or text/plain")
    if name is None:
        return "json"
    schema, where = config[name], f"generationConfig.{name}"
    return JsonSchema(schema=json_schema(schema, where) if name == "responseSchema" else _object(schema, where))


def _object(value: Any, where: str) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else refuse(where, "expected an object")


def _effort(config: Mapping[str, Any]) -> str | None:
    level, budget = config.get("thinkingLevel"), config.get("thinkingBudget")
    if level is not None and level != "THINKING_LEVEL_UNSPECIFIED":
        return str(level).lower()
    if not isinstance(budget, int) or budget < 0:  # -1 leaves it to the model
        return None
    return next((effort for most, effort in _BUDGETS if budget <= most), "high")


def _tools(given: Mapping[str, Any], *, lenient: bool) -> dict[str, Any]:
    config = camel(given.get("toolConfig") or {}, "toolConfig")
    refuse_others(config, {"functionCallingConfig"}, "toolConfig.", lenient=lenient)
    calling = camel(config.get("functionCallingConfig") or {}, "toolConfig.functionCallingConfig")
    mode = str(calling.get("mode") or "MODE_UNSPECIFIED").upper()
    if mode not in _MODES:
        refuse("toolConfig.functionCallingConfig.mode", f"expected one of {', '.join(_MODES)}")
    tools = _declared(given.get("tools"), is_strict=mode == "VALIDATED", lenient=lenient)
    if not tools:
        return {}
    allowed = listed(calling.get("allowedFunctionNames"), "toolConfig.functionCallingConfig.allowedFunctionNames")
    if allowed:
        tools = [tool for tool in tools if tool.name in allowed]
    options: dict[str, Any] = {"tools": tools}
    if mode in {"AUTO", "NONE", "ANY"}:
        options["tool_choice"] = allowed[0] if mode == "ANY" and allowed and len(allowed) == 1 else _MODES[mode]
    return options


def _declared(value: Any, *, is_strict: bool, lenient: bool) -> list[Tool]:
    found = []
    for index, each in enumerate(listed(value, "tools")):
        entry = camel(each, f"tools[{index}]")
        refuse_others(entry, {"functionDeclarations"}, f"tools[{index}].", lenient=lenient)
        for number, declaration in enumerate(
            listed(entry.get("functionDeclarations"), f"tools[{index}].functionDeclarations")
        ):
            where = f"tools[{index}].functionDeclarations[{number}]"
            found.append(_tool(camel(declaration, where), where, is_strict=is_strict))
    return found


def _tool(given: Mapping[str, Any], where: str, *, is_strict: bool) -> Tool:
    name = given.get("name")
    if not isinstance(name, str):
        refuse(f"{where}.name", "expected a text")
    fields: dict[str, Any] = {}
    if "parametersJsonSchema" in given:
        fields["parameters"] = _object(given["parametersJsonSchema"], f"{where}.parametersJsonSchema")
    elif "parameters" in given:
        fields["parameters"] = json_schema(given["parameters"], f"{where}.parameters")
    return Tool(name=str(name), description=given.get("description"), strict=is_strict or None, **fields)
