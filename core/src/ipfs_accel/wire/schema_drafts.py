"""Schemas that say the same in other words, for servers that fail over some of them.

vLLM 0.32 answers 500 to `items` as a list, which is `prefixItems` since the draft of 2020-12, and to a property that
is false, which an object without further members need not name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from ipfs_accel.types import ChatRequest, JsonSchema, Tool

__all__ = ["in_other_words"]

Json = dict[str, Any]

_NAMED = re.compile(r"#/(?:\$defs|definitions)/[^/]+")
_ONE = {"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"}
_LISTS = {"anyOf", "oneOf", "allOf", "prefixItems"}
_MAPS = {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}


def in_other_words(request: ChatRequest) -> ChatRequest:
    """Return a chat with its schemas, of the answer and of strict tools, as vLLM takes them; most are so already."""
    given = request.response_format
    if isinstance(given, JsonSchema):
        schema = _whole(given.schema)
        if schema != given.schema:
            request = attrs.evolve(request, response_format=attrs.evolve(given, schema=schema))
    if any(tool.strict for tool in request.tools):
        tools = [_strict(each) if each.strict else each for each in request.tools]
        request = attrs.evolve(request, tools=tuple(tools))
    return request


def _strict(tool: Tool) -> Tool:
    return attrs.evolve(tool, parameters=_whole(tool.parameters))


def _whole(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Rewrite a schema, unless something in it is referred to by its place."""
    if any(ref.startswith("#/") and _NAMED.fullmatch(ref) is None for ref in _references(schema)):
        return schema
    found: Json = _written(schema)
    return found


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for each in node:
            yield from _references(each)
    elif isinstance(node, Mapping):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for each in node.values():
            yield from _references(each)


def _written(node: Any) -> Any:
    if not isinstance(node, Mapping):
        return node
    made: Json = dict(node)
    if isinstance(made.get("items"), list) and "prefixItems" not in made:
        made["prefixItems"] = made.pop("items")
        if "additionalItems" in made:
            made["items"] = made.pop("additionalItems")
    named, required = made.get("properties"), made.get("required") or ()
    if isinstance(named, Mapping) and made.get("additionalProperties") is False:
        made["properties"] = {name: each for name, each in named.items() if each is not False or name in required}
    for name, value in made.items():
        if name in _ONE:
            made[name] = _written(value)
        elif name in _LISTS and isinstance(value, list):
            made[name] = [_written(each) for each in value]
        elif name in _MAPS and isinstance(value, Mapping):
            made[name] = {key: _written(each) for key, each in value.items()}
    return made
