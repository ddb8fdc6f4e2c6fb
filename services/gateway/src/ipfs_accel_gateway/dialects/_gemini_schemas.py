"""Google's own form of schemas, which is OpenAPI's of old, as JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._gemini import camel, listed, refuse

__all__ = ["json_schema"]

_SAME = ("title", "description", "format", "pattern", "default", "minimum", "maximum", "enum")
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
_KNOWN = {
    *_SAME,
    *_COUNTS,
    "type",
    "nullable",
    "example",
    "properties",
    "propertyOrdering",
    "required",
    "items",
    "anyOf",
}
_UNSAID = "TYPE_UNSPECIFIED"


def json_schema(value: Any, where: str) -> dict[str, Any]:
    """Return a schema in the form that all others know.

    Raises:
        Refusal: It is none, or says what JSON Schema cannot.
    """
    given = camel(value, where)
    unknown = given.keys() - _KNOWN
    if unknown:
        refuse(f"{where}.{min(unknown)}", "a schema has no such member here; responseJsonSchema and its like take any")
    found: dict[str, Any] = {}
    kind = given.get("type")
    if kind is not None and kind != _UNSAID:
        found["type"] = str(kind).lower()
    found |= {name: given[name] for name in _SAME if name in given}
    found |= {name: _count(given[name], f"{where}.{name}") for name in _COUNTS if name in given}
    if "properties" in given:
        found["properties"] = _properties(given, where)
    if "required" in given:
        found["required"] = given["required"]
    if "items" in given:
        found["items"] = json_schema(given["items"], f"{where}.items")
    if "anyOf" in given:
        found["anyOf"] = [json_schema(each, f"{where}.anyOf") for each in listed(given["anyOf"], f"{where}.anyOf")]
    return _nullable(found) if given.get("nullable") else found


def _properties(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    inner = given["properties"]
    if not isinstance(inner, Mapping):
        refuse(f"{where}.properties", "expected an object")
    order = [name for name in listed(given.get("propertyOrdering"), where) if name in inner]
    return {name: json_schema(inner[name], f"{where}.properties.{name}") for name in dict.fromkeys([*order, *inner])}


def _count(value: Any, where: str) -> int:
    """Return a number that may be text, as it has 64 bits."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return int(refuse(where, "expected a whole number"))


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if "enum" in schema:
        schema["enum"] = [*listed(schema["enum"], "enum"), None]
    if "type" in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]} if "anyOf" in schema else schema
