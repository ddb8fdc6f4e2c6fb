"""Schemas of types in the form that each service enforces: held to the vendors' SDKs, and to a real llama.cpp."""

from __future__ import annotations

import dataclasses
import enum
import json
import re
from typing import Annotated, Any, Literal

import annotated_types
import attrs
import pydantic
import pytest
from anthropic.lib._parse._transform import transform_schema
from ipfs_accel import Client, Config, EndpointConfig, JsonSchema
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.plans import Endpoint
from ipfs_accel.types import ChatRequest, Message
from ipfs_accel.wire.schema_forms import CLAUDE, GEMINI, GRAMMAR, OPENAI, SchemaForm, adapted
from ipfs_accel_claude import backend as claude
from ipfs_accel_gemini import backend as gemini
from ipfs_accel_groq import backend as groq
from ipfs_accel_ollama import backend as ollama
from ipfs_accel_openai import backend as openai
from openai.lib._pydantic import to_strict_json_schema

Json = dict[str, Any]


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


class Part(pydantic.BaseModel):
    """What it is made of."""

    name: str = pydantic.Field(description="of the part", pattern="^[a-z]+$", min_length=2)
    count: int = pydantic.Field(ge=1, le=9)
    colors: list[str] = pydantic.Field(max_length=3)


class Thing(pydantic.BaseModel):
    size: Size
    parts: list[Part]
    kind: Literal["a", "b"]
    weight: float | None


@attrs.define
class Node:
    name: str
    inner: list[Node]


@dataclasses.dataclass
class Pick:
    size: Size
    is_new: bool
    pair: tuple[Literal[1, 2], Literal["x"]]
    code: Annotated[str, {"pattern": "^[a-c][a-c]$"}]
    note: Literal["p", "q"] | None = None


def written(schema: Any, drop: set[str]) -> Any:
    """Return a schema without some keywords, with the definitions in place."""
    defs = schema.get("$defs", {})

    def walk(value: Any) -> Any:
        if isinstance(value, list):
            return [walk(each) for each in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return walk(defs[value["$ref"].rpartition("/")[2]])
        return {name: walk(each) for name, each in value.items() if name not in drop}

    return walk({name: each for name, each in schema.items() if name != "$defs"})


def test_openai_takes_what_its_sdk_makes_of_a_model() -> None:
    ours = written(adapted(JsonSchema.of(Thing), OPENAI), {"description"})
    assert ours == written(to_strict_json_schema(Thing), {"title", "description", "minLength"})


@pytest.mark.parametrize(
    "kind", [Thing, Pick, list[Part], dict[str, int] | None], ids=["model", "class", "list", "dict"]
)
def test_claude_takes_what_its_sdk_leaves_as_it_is(kind: Any) -> None:
    schema = JsonSchema.of(kind)
    if "dict" in str(kind):
        with pytest.raises(
            InvalidRequestError, match=re.escape("$.value: Claude enforces no schema with members of any name")
        ):
            adapted(schema, CLAUDE)
        return

    def without_type_of_enum(value: Any) -> Any:  # which the SDK leaves out, and the API takes
        if isinstance(value, list):
            return [without_type_of_enum(each) for each in value]
        if isinstance(value, dict):
            return {
                name: without_type_of_enum(each)
                for name, each in value.items()
                if name != "type" or "enum" not in value
            }
        return value

    sent = without_type_of_enum(adapted(schema, CLAUDE))
    assert transform_schema(sent) == sent


def test_what_is_not_enforced_is_told_to_the_model() -> None:
    for form, told in (
        (CLAUDE, "(minLength: 2, pattern: ^[a-z]+$)"),
        (OPENAI, "(minLength: 2)"),
        (GEMINI, "(minLength: 2, pattern: ^[a-z]+$)"),
    ):
        sent = written(adapted(JsonSchema.of(Thing), form), set())
        assert sent["properties"]["parts"]["items"]["properties"]["name"]["description"].endswith(f"of the part {told}")
    counted = adapted(JsonSchema.of(Annotated[int, annotated_types.Ge(1)]), CLAUDE)
    assert counted["properties"]["value"] == {"type": "integer", "description": "(minimum: 1)"}


@pytest.mark.parametrize(
    ("form", "kind", "message"),
    [
        (CLAUDE, Node, "$.$defs.Node: Claude enforces no schema that is within itself"),
        (OPENAI, dict[str, int], "$: OpenAI enforces no schema with members of any name"),
        (OPENAI, list[Any], "$.value[]: OpenAI enforces no schema with a value of any type"),
    ],
)
def test_what_a_service_cannot_enforce_is_refused_with_its_path(form: SchemaForm, kind: Any, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=re.escape(message)):
        adapted(JsonSchema.of(kind), form)


@pytest.mark.parametrize(
    ("pattern", "is_kept"), [("^a+$", True), ("a+", False), (r"^\d$", False), ('^"$', False), (r"^a\.b$", True)]
)
def test_llama_gets_only_patterns_that_it_takes(pattern: str, is_kept: bool) -> None:
    sent = adapted(JsonSchema.of(Annotated[str, {"pattern": pattern}]), GRAMMAR)["properties"]["value"]
    assert ("pattern" in sent) is is_kept
    assert (pattern in sent.get("description", "")) is not is_kept


def test_a_schema_of_the_callers_own_is_sent_as_it_is() -> None:
    own = JsonSchema(schema={"type": "object", "patternProperties": {"^x": {}}})
    assert all(adapted(own, form) is own.schema for form in (OPENAI, CLAUDE, GEMINI, GRAMMAR))


HOSTED = {"openai": "https://api.openai.com/v1", "groq": "https://api.groq.com", "claude": "https://api.anthropic.com", "gemini": "https://generativelanguage.googleapis.com", "ollama": "http://127.0.0.1:11434"}  # fmt: skip
PLANNED: list[tuple[Any, str, str, list[str], bool | None]] = [
    (openai, "openai", "gpt-4.1", ["response_format", "json_schema"], True),
    (openai, "openai", "gpt-5-pro", ["text", "format"], True),
    (groq, "groq", "openai/gpt-oss-20b", ["response_format", "json_schema"], True),
    (groq, "groq", "qwen/qwen3.8-27b", ["response_format", "json_schema"], None),
    (claude, "claude", "claude-sonnet-4-5", ["output_config", "format"], None),
    (gemini, "gemini", "gemini-2.5-flash", ["generationConfig"], None),
    (ollama, "ollama", "m", [], None),
]


@pytest.mark.parametrize("row", range(len(PLANNED)), ids=[f"{row[1]}-{row[2]}" for row in PLANNED])
def test_each_backend_sends_the_form_that_it_enforces(row: int) -> None:
    backend, name, model, path, strict = PLANNED[row]
    where = Endpoint(name=name, backend=name, base_url=HOSTED[name], options=_options(backend))
    wanted = JsonSchema.of(Annotated[str, {"minLength": 2, "maxLength": 5, "x-own": 1}])
    plan = backend.chat(
        where, ChatRequest(model=model, messages=(Message.user("a"),), response_format=wanted, max_tokens=9)
    )
    while not hasattr(plan, "send"):
        plan = plan.plan if hasattr(plan, "plan") else next(plan.steps())
    found: Any = json.loads(plan.send.content)
    for each in path:
        found = found[each]
    assert found.get("strict") is strict
    schema = found.get("schema") or found.get("responseJsonSchema") or found.get("format")
    assert "x-own" not in schema["properties"]["value"]
    assert "x-own: 1" in schema["properties"]["value"]["description"]


def _options(backend: Any) -> Any:
    kind = backend.describe().options
    return None if kind is None else kind()


@pytest.mark.parametrize("backend", ["llvm", "openai"])
def test_llama_is_held_to_a_class(backend: str, llama: Any) -> None:
    at = EndpointConfig(backend=backend, base_url=f"{llama.url}/v1", key=llama.key or "none")
    with Client(Config(environ={}), endpoints={"x": at}) as client:
        for seed in range(3):
            reply = client.chat("x/tiny", "hello", response_format=Pick, seed=seed, max_tokens=400)
            assert reply.parsed.size in Size
            assert reply.parsed.pair in {(1, "x"), (2, "x")}
            assert len(reply.parsed.code) == 2
        with client.stream("x/tiny", "hello", response_format=list[Size], seed=1, max_tokens=400) as stream:
            *_, last = [stream.partial for _ in stream]
        assert [Size(each) for each in last or ()] == stream.response.parsed


@pytest.mark.parametrize("backend", ["llvm", "openai"])
def test_llama_is_not_sent_a_pattern_that_it_refuses(backend: str, llama: Any) -> None:
    at = EndpointConfig(backend=backend, base_url=f"{llama.url}/v1", key=llama.key or "none")
    wanted = Annotated[str, {"pattern": "x|", "maxLength": 9}]
    with Client(Config(environ={}), endpoints={"x": at}) as client:
        assert len(client.chat("x/tiny", "hello", response_format=wanted, seed=1, max_tokens=200).parsed) <= 9
