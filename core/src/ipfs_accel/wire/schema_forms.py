"""The subset of JSON Schema in which each service enforces schemas, and a schema written in it.

Services refuse what they do not enforce. What only bounds values goes into the description instead, where the model
reads it, and the answer is checked by who asked; what cannot be written at all is an error with its path.

Sources: OpenAI, "Structured model outputs", supported schemas (2026-10); Anthropic, "Structured outputs", JSON Schema
limitations (2026-10), and what `transform_schema` of its SDK 2.14 leaves; Google, "Structured outputs", JSON Schema
support (2026-10); for llama.cpp's grammars, which Ollama has too, `schema_servers.json`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import attrs

from ipfs_accel import strict_json
from ipfs_accel._values import frozen
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import ChatRequest, JsonSchema

__all__ = ["CLAUDE", "GEMINI", "GRAMMAR", "OPENAI", "SchemaForm", "adapted", "in_form"]

Json = dict[str, Any]

_PARTS = {"properties", "$defs", "items", "anyOf", "allOf", "oneOf", "prefixItems", "additionalProperties"}
_BASE = {"type", "properties", "required", "additionalProperties", "items", "enum", "anyOf", "$ref", "$defs"} | {
    "description",
    "title",
}
_NUMBERS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
_FORMATS = {"date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
_ANCHORED = re.compile(r"\^(?:[^\\\"]|\\[^dwspDWSP\"\\])*\$")


@frozen(kw_only=True)
class SchemaForm:
    """What of JSON Schema a service takes.

    Attributes:
        who: Its name, for errors.
        keywords: What may stand in a schema.
        formats: Which texts `format` may be; None means any.
        is_closed: Whether objects have to name all their members, and values their types.
        may_recur: Whether a schema may be within itself.
        fewest: What `minItems` may be; None means any.
        is_anchored: Whether a `pattern` has to hold for the whole text, in letters rather than classes.
        is_strict: Whether it enforces only what is sent with `strict`.
    """

    who: str
    keywords: frozenset[str]
    formats: frozenset[str] | None = None
    is_closed: bool = False
    may_recur: bool = True
    fewest: Collection[int] | None = None
    is_anchored: bool = False
    is_strict: bool = False

    def takes(self, name: str, value: Any) -> bool:
        """Whether a keyword may stand in a schema with this value."""
        if name not in self.keywords:
            return False
        if name == "format":
            return self.formats is None or value in self.formats
        if name == "minItems":
            return self.fewest is None or value in self.fewest
        return name != "pattern" or not self.is_anchored or _ANCHORED.fullmatch(str(value)) is not None


OPENAI = SchemaForm(
    who="OpenAI",
    keywords=frozenset({*_BASE, *_NUMBERS, "const", "pattern", "format", "minItems", "maxItems"}),
    formats=frozenset(_FORMATS),
    is_closed=True,
    is_strict=True,
)
CLAUDE = SchemaForm(
    who="Claude",
    keywords=frozenset({*_BASE, "const", "allOf", "format", "minItems"}),
    formats=frozenset({*_FORMATS, "uri"}),
    is_closed=True,
    may_recur=False,
    fewest=(0, 1),
)
GEMINI = SchemaForm(
    who="Gemini",
    keywords=frozenset({*_BASE, "format", "oneOf", "prefixItems", "minItems", "maxItems", "minimum", "maximum"}),
    formats=frozenset({"date-time", "date", "time"}),
)
GRAMMAR = SchemaForm(
    who="llama.cpp",
    keywords=frozenset(
        {*_BASE, *_NUMBERS, "const", "allOf", "oneOf", "prefixItems", "minItems", "maxItems", "minLength", "maxLength"}
        | {"pattern", "format"}
    ),
    is_anchored=True,
)


def in_form(request: ChatRequest, form: SchemaForm) -> ChatRequest:
    """Return a chat whose schema adapts with the schema that is sent, and with `strict` where that enforces it."""
    given: Any = request.response_format
    is_strict = True if given.strict is None and form.is_strict else given.strict
    made = attrs.evolve(given, schema=adapted(given, form), strict=is_strict, adapts=False)
    return attrs.evolve(request, response_format=made)


def adapted(given: JsonSchema, form: SchemaForm) -> Mapping[str, Any]:
    """Return a schema as it is sent: one that `adapts` in the form that is enforced, any other as it is.

    Raises:
        InvalidRequestError: It cannot be written so; the message has the path.
    """
    if not given.adapts:
        return given.schema
    if not form.may_recur:
        _refuse_cycles(given.schema, form)
    found: Json = _written(given.schema, form, "$")
    return found


def _written(schema: Any, form: SchemaForm, where: str) -> Any:
    if not isinstance(schema, Mapping):
        return schema
    if form.is_closed:
        _refuse_open(schema, form, where)
    found: Json = {}
    moved: Json = {}
    if "prefixItems" in schema and "prefixItems" not in form.keywords:  # any of them at any place, then
        arms = [each for index, each in enumerate(schema["prefixItems"]) if each not in schema["prefixItems"][:index]]
        items = arms[0] if len(arms) == 1 else {"anyOf": arms}
        schema = {**{name: each for name, each in schema.items() if name != "prefixItems"}, "items": items}
    for name, value in schema.items():
        if not form.takes(name, value):
            moved[name] = value
        elif name in {"properties", "$defs"}:
            found[name] = {
                key: _written(each, form, f"{where}.{key}" if name == "properties" else f"{where}.$defs.{key}")
                for key, each in value.items()
            }
        elif isinstance(value, list) and name in _PARTS:
            found[name] = [_written(each, form, where) for each in value]
        else:
            found[name] = _written(value, form, f"{where}[]" if name == "items" else where) if name in _PARTS else value
    if moved:
        told = ", ".join([f"{name}: {_shown(value)}" for name, value in moved.items()])
        found["description"] = f"{found['description']} ({told})" if "description" in found else f"({told})"
    return found


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else strict_json.dumps(value).decode()


def _refuse_open(schema: Mapping[str, Any], form: SchemaForm, where: str) -> None:
    if schema.keys().isdisjoint({"type", "anyOf", "allOf", "$ref", "enum", "const"}):
        raise InvalidRequestError(
            f"response_format: {where}: {form.who} enforces no schema with a value of any type",
            hint="name the types that it may have",
        )
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        raise InvalidRequestError(
            f"response_format: {where}: {form.who} enforces no schema with members of any name, as a dict has",
            hint="use a class with these members, or a list of one that has a name and a value",
        )


def _refuse_cycles(schema: Mapping[str, Any], form: SchemaForm) -> None:
    defs = schema.get("$defs", {})

    def walk(value: Any, inside: tuple[str, ...]) -> None:
        if isinstance(value, list):
            for each in value:
                walk(each, inside)
        elif isinstance(value, Mapping):
            name = str(value.get("$ref", "")).rpartition("/")[2]
            if name in inside:
                raise InvalidRequestError(
                    f"response_format: $.$defs.{name}: {form.who} enforces no schema that is within itself",
                    hint="use a type that ends at some depth",
                )
            if name in defs:
                walk(defs[name], (*inside, name))
            for key, each in value.items():
                if key != "$defs":
                    walk(each, inside)

    walk(schema, ())
