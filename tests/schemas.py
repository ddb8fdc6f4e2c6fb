"""JSON Schemas of requests, made of OpenAPI documents, of TypedDicts and of pydantic's models, and what they find wrong."""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import typing_extensions
import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from referencing import Registry
from referencing.jsonschema import DRAFT202012

__all__ = ["Fault", "Schemas", "of_gemini", "of_openapi", "of_typed_dict"]

ROOT = "urn:specification"
ANYTHING: dict[str, Any] = {}
_VARIABLE = re.compile(r"\$?\{[^}]*\}")
_SIZES = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "maxLength", "maxItems", "multipleOf"}
)
"""How large something is, is the caller's business and not the form's."""


class Fault(NamedTuple):
    """Something that a schema does not allow, where it is, and whether it is a member that the schema has not."""

    place: tuple[str | int, ...]
    text: str
    is_unknown: bool = False


class Schemas:
    """A document with schemas in it; each is compiled once."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._registry: Any = Registry().with_resource(ROOT, DRAFT202012.create_resource(document))
        self._routes = [
            (re.compile("[^/]+".join([re.escape(part) for part in _VARIABLE.split(path)]) + "/?"), path)
            for path in document.get("paths", ())
        ]
        self._validators: dict[str, Draft202012Validator] = {}

    def operation(self, method: str, path: str) -> tuple[str, str] | None:
        """Return the template of a path and the method, if the document has both; one without variables first."""
        found = [template for pattern, template in self._routes if pattern.fullmatch(path)]
        found.sort(key=lambda template: template.count("{"))
        return next(((each, method.lower()) for each in found if method.lower() in self.document["paths"][each]), None)

    def query_faults(self, operation: tuple[str, str], query: tuple[tuple[str, str], ...]) -> Iterator[Fault]:
        """Give what is asked behind the question mark and not known, or missing."""
        template, method = operation
        route = self.document["paths"][template]
        parameters = [
            self._resolved(each) for each in [*route.get("parameters", ()), *route[method].get("parameters", ())]
        ]
        known = {each["name"].removesuffix("[]") for each in parameters if each["in"] == "query"}
        for name, _ in query:
            plain = re.sub(r"\[.*\]$", "", name)
            if plain not in known:
                yield Fault((plain,), f"the query has {name!r}, which is none of {sorted(known)}")

    def body_faults(self, operation: tuple[str, str], kind: str, body: Any, *, texts: bool = False) -> Iterator[Fault]:
        """Give what is wrong with a body; `texts` for a form, in which all values are texts."""
        template, method = operation
        said = self.document["paths"][template][method].get("requestBody")
        content = self._resolved(said)["content"] if said else {}
        if kind not in content:
            if content:
                yield Fault((), f"the body is {kind}, and the document has {sorted(content)}")
            return
        at = "/".join(
            [_pointer(each) for each in ("paths", template, method, "requestBody", "content", kind, "schema")]
        )
        if "$ref" in said:
            at = f"{said['$ref'].removeprefix('#/')}/content/{_pointer(kind)}/schema"
        if texts:
            yield from self._form_faults(content[kind]["schema"], body)
        else:
            yield from self.faults(body, at)

    def faults(self, body: Any, at: str = "schema") -> Iterator[Fault]:
        """Give what is wrong with a value by the schema at a place of the document."""
        validator = self._validators.get(at)
        if validator is None:
            schema = {"$ref": f"{ROOT}#/{at}"}
            validator = self._validators[at] = Draft202012Validator(schema, registry=self._registry)
        for error in validator.iter_errors(body):
            yield from _told(error)
        if isinstance(body, Mapping):
            known = self._members(self._at(at))
            if known:
                for name in body.keys() - known:
                    yield Fault((name,), f"{name}: the schema has no such member", is_unknown=True)

    def _form_faults(self, schema: Any, body: Mapping[str, Any]) -> Iterator[Fault]:
        schema = self._resolved(schema)
        known, required = self._members(schema), set(schema.get("required", ()))
        for name in required - body.keys():
            yield Fault((name,), f"{name}: the form has no such field, and it is required")
        for name in body.keys() - known:
            plain = re.sub(r"\[.*\]$", "", name)
            if plain not in known:
                yield Fault((plain,), f"{name}: the schema has no such field", is_unknown=True)

    def _at(self, pointer: str) -> Any:
        found: Any = self.document
        for each in pointer.split("/"):
            found = found[each.replace("~1", "/").replace("~0", "~").replace("%7B", "{").replace("%7D", "}")]
        return found

    def _resolved(self, schema: Any) -> Any:
        while isinstance(schema, Mapping) and "$ref" in schema:
            schema = self._at(schema["$ref"].removeprefix("#/"))
        return schema

    def _members(self, schema: Any) -> set[str]:
        """Return the names of all members that an object may have; empty where any is allowed."""
        schema = self._resolved(schema)
        found = set(schema.get("properties", ()))
        for each in (*schema.get("allOf", ()), *schema.get("anyOf", ()), *schema.get("oneOf", ())):
            found |= self._members(each)
        return found


def _pointer(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")


def _told(error: ValidationError) -> Iterator[Fault]:
    """Give the fault of an error; of alternatives that of the one that fits best."""
    best = best_match([error]) or error
    if best.validator in _SIZES or (best.validator == "additionalProperties" and not best.absolute_path):
        return  # the latter is told one by one, by the names
    place = tuple(best.absolute_path)
    where = ".".join(["[]" if isinstance(each, int) else each for each in place]) or "the body"
    yield Fault(place, f"{where}: {best.message[:300]}", is_unknown=best.validator == "additionalProperties")


# of OpenAPI documents


def of_openapi(path: Path) -> Schemas:
    """Read a document, of version 3.0 or 3.1, as JSON Schemas."""
    text = path.read_text(encoding="utf-8")
    document = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    return Schemas(_plain(document, is_old=str(document["openapi"]).startswith("3.0")))


def _plain(value: Any, *, is_old: bool) -> Any:
    """Return a document as JSON Schema reads it: of alternatives any may fit, and null stands where it is allowed."""
    if isinstance(value, list):
        return [_plain(each, is_old=is_old) for each in value]
    if not isinstance(value, dict):
        return value
    found = {
        name: _plain(each, is_old=is_old)
        for name, each in value.items()
        if name not in {"discriminator", "example", "examples", "description", "x-oaiMeta"}
        or (isinstance(each, dict) and "type" in each)
    }
    if isinstance(found.get("oneOf"), list):
        found["anyOf"] = [*found.get("anyOf", ()), *found.pop("oneOf")]
    if found.pop("nullable", None) is True:
        return {"anyOf": [found, {"type": "null"}]}
    if is_old and isinstance(found.get("exclusiveMinimum"), bool) and found.pop("exclusiveMinimum"):
        found["exclusiveMinimum"] = found.pop("minimum")
    return found


# of the types of SDKs


_PLAIN_TYPES: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    bytes: {"type": "string"},
    type(None): {"type": "null"},
    dict: {"type": "object"},
    list: {"type": "array"},
}


@cache
def of_typed_dict(kind: Any) -> Schemas:
    """Return the schema of a TypedDict, or of a union of some; members that it does not have are not allowed."""
    definitions: dict[str, Any] = {}
    return Schemas({"schema": _schema(kind, definitions), "definitions": definitions})


def _schema(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in {typing.Annotated, typing_extensions.Required, typing_extensions.NotRequired}:
        return _schema(arguments[0], definitions)
    if origin in {typing.Union, types.UnionType}:
        found: dict[str, Any] = {"anyOf": [_schema(each, definitions) for each in arguments]}
    elif origin is typing.Literal:
        found = {"enum": list(arguments)}
    elif typing_extensions.is_typeddict(kind):
        found = _object(kind, definitions)
    elif origin is not None and issubclass(origin, Mapping):
        found = {"type": "object", "additionalProperties": _schema(arguments[1], definitions)}
    elif arguments:  # a list, whatever it is called
        found = {"type": "array", "items": _schema(arguments[0], definitions)}
    else:
        found = _PLAIN_TYPES.get(kind, ANYTHING)
    return found


def _object(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    name = f"{kind.__module__}.{kind.__qualname__}"
    if name not in definitions:
        definitions[name] = {}  # for one that holds itself
        hints = typing_extensions.get_type_hints(kind, include_extras=True)
        definitions[name] = {
            "type": "object",
            "properties": {each: _schema(hint, definitions) for each, hint in hints.items()},
            "required": sorted(_required(kind, hints)),
            "additionalProperties": False,
        }
    return {"$ref": f"#/definitions/{name}"}


def _required(kind: Any, hints: Mapping[str, Any]) -> set[str]:
    """Return the names that an object has to have; where annotations are texts, the class itself cannot know."""
    said = {name: typing.get_origin(hint) for name, hint in hints.items()}
    total = {name for name in kind.__required_keys__ if said[name] is not typing_extensions.NotRequired}
    return total | {name for name, origin in said.items() if origin is typing_extensions.Required}


@cache
def of_gemini() -> Schemas:
    """Return the schema of what Gemini generates from, made of the models of Google's SDK."""
    from google.genai import types as genai
    from pydantic.json_schema import models_json_schema

    members = {
        "contents": genai.Content,
        "systemInstruction": genai.Content,
        "tools": genai.Tool,
        "toolConfig": genai.ToolConfig,
        "safetySettings": genai.SafetySetting,
        "generationConfig": genai.GenerationConfig,
    }
    kinds = sorted({(kind, "validation") for kind in members.values()}, key=lambda each: each[0].__name__)
    named, document = models_json_schema(kinds, by_alias=True, ref_template="#/definitions/{model}")
    properties: dict[str, Any] = {name: named[kind, "validation"] for name, kind in members.items()}
    for name in ("contents", "tools", "safetySettings"):
        properties[name] = {"type": "array", "items": properties[name]}
    _let_words_be_small(document)
    # The SDK's own configuration has it, and puts it there.
    document["$defs"]["GenerationConfig"]["properties"]["imageConfig"] = ANYTHING
    texts = {name: {"type": "string"} for name in ("cachedContent", "model", "serviceTier")}
    schema = {"type": "object", "properties": properties | texts, "required": ["contents"]}
    return Schemas({"schema": schema, "definitions": document["$defs"]})


def _let_words_be_small(document: dict[str, Any]) -> None:
    """Let the words of enumerations stand in small letters too, as in the API's own examples: the SDK takes both."""
    for each in document["$defs"].values():
        if "enum" in each:
            each["enum"] += [word.lower() for word in each["enum"]]
