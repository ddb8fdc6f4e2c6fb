"""What a JSON Schema asks for that a server does not enforce, by tables of what servers were seen to do.

A server takes a keyword and drops it without a word, or only where it stands beside another. So the tables do not list
keywords but constructs, such as "bounds of a number": `constructs` finds them in a schema, `scripts/schema_keywords.py`
asks real servers for answers to each and writes down which of them hold. `tests/test_schema_keywords.py` compares.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

__all__ = ["Construct", "constructs", "lost", "refused", "tables"]

Node: TypeAlias = Mapping[str, Any]


class Construct(NamedTuple):
    """One thing that a schema asks for.

    Attributes:
        name: As the tables have it.
        keyword: The keyword, as the schema has it.
        place: Where it stands, such as `properties.age`; empty at the top.
    """

    name: str
    keyword: str
    place: str

    def __str__(self) -> str:
        said = self.keyword if self.name == self.keyword else f"{self.keyword} ({self.name})"
        return f"{said} at {self.place}" if self.place else said


@lru_cache(maxsize=1)
def tables() -> Mapping[str, Mapping[str, Any]]:
    """Return what is known, by server and route: `version`, `source`, and the `lost` and `kept` constructs."""
    return json.loads(Path(__file__).with_name("schema_servers.json").read_text("utf-8"))  # type: ignore[no-any-return]


def lost(server: str, schema: Node) -> tuple[str, ...]:
    """Return what of a schema a server of `tables` does not enforce."""
    return _found(schema, tables()[server]["lost"])


def refused(server: str, schema: Node) -> tuple[str, ...]:
    """Return what of a schema a server of `tables` answers with an error."""
    return _found(schema, tables()[server]["refused"])


def _found(schema: Node, names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([str(found) for found in constructs(schema) if found.name in names]))


def constructs(schema: Node) -> Iterator[Construct]:
    """Yield everything that a schema asks for and servers may not enforce."""
    waiting: list[tuple[str, Any]] = [("", schema)]
    while waiting:
        place, node = waiting.pop()
        if not isinstance(node, Mapping):
            if isinstance(node, bool) and place:
                yield Construct("a schema that is true" if node else "a schema that is false", str(node).lower(), place)
            continue
        for name, keyword in _constructs_of(node, schema):
            yield Construct(name, keyword, place)
        waiting += [(f"{place}.{where}" if place else where, each) for where, each in _below(node)]


_ONE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems", "items")
_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")


def _below(node: Node) -> Iterator[tuple[str, Any]]:
    for keyword in _ONE:
        # These two are schemas of their own even if they are bare booleans, and have names of their own then.
        if isinstance(node.get(keyword), Mapping):
            yield keyword, node[keyword]
    for keyword in _LISTS:
        if isinstance(node.get(keyword), list):
            yield from [(f"{keyword}[{index}]", each) for index, each in enumerate(node[keyword])]
    for keyword in _MAPS:
        if isinstance(node.get(keyword), Mapping):
            yield from [(f"{keyword}.{name}", each) for name, each in node[keyword].items()]


_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_LENGTHS = ("minLength", "maxLength")
_PLAIN = (
    *(
        "not",
        "if",
        "propertyNames",
        "dependentRequired",
        "dependentSchemas",
        "dependencies",
        "contains",
        "const",
        "enum",
    ),
    *(
        "minProperties",
        "maxProperties",
        "patternProperties",
        "unevaluatedProperties",
        "unevaluatedItems",
        "prefixItems",
    ),
    *("$anchor", "$dynamicRef", "minItems", "maxItems"),
)
_ASSERTING = frozenset(
    (*_BOUNDS, *_LENGTHS, *_PLAIN, "pattern", "format", "multipleOf", "uniqueItems", "properties", "required", "items")
) | {"additionalProperties"}


def _constructs_of(node: Node, root: Node) -> Iterator[tuple[str, str]]:
    for keyword in _PLAIN:
        if keyword in node:
            yield keyword, keyword
    if node.get("uniqueItems") is True:
        yield "uniqueItems", "uniqueItems"
    yield from _of_numbers(node)
    yield from _of_texts(node)
    yield from _of_objects(node)
    yield from _of_lists(node)
    yield from _of_several(node, root)


def _types(node: Node) -> frozenset[str]:
    said = node.get("type")
    return frozenset([said] if isinstance(said, str) else said if isinstance(said, list) else ())


def _kind(node: Node) -> str:
    types = _types(node)
    return "of a number" if "number" in types else "of an integer" if types else "without type"


def _of_numbers(node: Node) -> Iterator[tuple[str, str]]:
    kind = _kind(node)
    for keyword in _BOUNDS:
        if keyword in node:
            yield f"bounds {kind}", keyword
    if "multipleOf" in node:
        yield f"multipleOf {kind}", "multipleOf"


def _of_texts(node: Node) -> Iterator[tuple[str, str]]:
    for keyword in _LENGTHS:
        if keyword in node:
            beside = next((each for each in ("pattern", "format") if each in node), None)
            kind = f"beside {beside}" if beside else "of a string" if _types(node) else "without type"
            yield f"lengths {kind}", keyword
    if "format" in node:
        yield f"format {node['format']}", "format"
    if isinstance(node.get("pattern"), str):
        yield _pattern(node["pattern"]), "pattern"


def _pattern(pattern: str) -> str:
    """Return which kind of pattern it is; the rarest thing in it decides."""
    kinds = (
        (r"\(\?[=!<]", "pattern that looks around"),
        (r"\\[pP]\{", "pattern with \\p"),
        (r"\\[dDwWsSbB]", "pattern with \\d, \\w or \\s"),
        (r'"|\\\\', "pattern with a quote or a backslash"),
    )
    found = next((name for words, name in kinds if re.search(words, pattern)), None)
    if found is not None:
        return found
    return "pattern" if pattern.startswith("^") and pattern.endswith("$") else "pattern that is not anchored"


def _of_objects(node: Node) -> Iterator[tuple[str, str]]:
    named, required = node.get("properties"), node.get("required")
    if isinstance(required, list):
        known = named.keys() if isinstance(named, Mapping) else ()
        yield ("required" if all(name in known for name in required) else "required of an unknown name"), "required"
    if "additionalProperties" in node:
        yield f"additionalProperties {_said(node['additionalProperties'])}", "additionalProperties"


def _of_lists(node: Node) -> Iterator[tuple[str, str]]:
    if "items" in node:
        yield f"items {_said(node['items'])}", "items"


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "as a list" if isinstance(value, list) else "as a schema"


def _of_several(node: Node, root: Node) -> Iterator[tuple[str, str]]:
    """Yield what stands for, or beside, other schemas."""
    beside = not _ASSERTING.isdisjoint(node)
    for keyword in ("anyOf", "oneOf"):
        branches = node.get(keyword)
        if isinstance(branches, list):
            overlaps = keyword == "oneOf" and not _disjoint([_resolved(each, root) for each in branches])
            yield (f"{keyword} that overlaps" if overlaps else keyword), keyword
            if beside:
                yield "keywords beside anyOf", keyword
    if isinstance(node.get("allOf"), list):
        objects = [_is_object(_resolved(each, root)) for each in node["allOf"]]
        yield ("allOf of objects" if all(objects) else "allOf of others"), "allOf"
    if "$ref" in node:
        is_local = str(node["$ref"]).startswith("#")
        yield ("$ref" if is_local else "$ref to another place"), "$ref"
        if beside:
            yield "keywords beside $ref", "$ref"
    if ("enum" in node or "const" in node) and not (_ASSERTING - {"enum", "const"}).isdisjoint(node):
        yield "keywords beside enum", "enum" if "enum" in node else "const"
    if isinstance(node.get("enum"), list) and _types(node) and not all(_fits(each, node) for each in node["enum"]):
        yield "type that contradicts enum", "type"


def _resolved(node: Any, root: Node, depth: int = 8) -> Any:
    """Follow references within the schema."""
    while depth and isinstance(node, Mapping) and str(node.get("$ref", "")).startswith("#/"):
        found: Any = root
        for step in node["$ref"][2:].split("/"):
            found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
        node, depth = found, depth - 1
    return node


def _is_object(node: Any) -> bool:
    return isinstance(node, Mapping) and ("properties" in node or _types(node) == {"object"})


_FITS: Mapping[str, Any] = {"string": str, "boolean": bool, "object": dict, "array": list, "null": type(None)}


def _fits(value: Any, node: Node) -> bool:
    """Whether a value has one of a schema's types."""
    types = _types(node)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number" in types or (float(value).is_integer() and "integer" in types)
    return any(isinstance(value, _FITS[each]) for each in types if each in _FITS)


def _disjoint(branches: list[Any]) -> bool:
    """Whether it can be seen that no value fits two of these schemas: by type, or by a member that tells them apart."""
    pairs = [(one, other) for index, one in enumerate(branches) for other in branches[index + 1 :]]
    return all(_are_apart(one, other) for one, other in pairs)


def _are_apart(one: Any, other: Any) -> bool:
    if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
        return False
    types = [_types(each) | ({"integer"} if "number" in _types(each) else set()) for each in (one, other)]
    if types[0] and types[1] and types[0].isdisjoint(types[1]):
        return True
    shared = (one.get("properties") or {}).keys() & (other.get("properties") or {}).keys()
    demanded = shared.intersection(one.get("required", ()), other.get("required", ()))
    values = [[_values(each["properties"][name]) for each in (one, other)] for name in demanded]
    own = [_values(one), _values(other)]
    return any(left and right and not any(each in right for each in left) for left, right in [*values, own])


def _values(node: Any) -> list[Any]:
    if not isinstance(node, Mapping):
        return []
    return [node["const"]] if "const" in node else list(node.get("enum") or ())
