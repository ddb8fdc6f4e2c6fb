"""What is found in a schema, what the tables say of it, and the checker."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel.wire import schema_check
from ipfs_accel.wire.schema_keywords import constructs, lost, tables

SCRIPT = Path(__file__).parents[3] / "scripts" / "schema_keywords.py"
spec = importlib.util.spec_from_file_location("schema_keywords_script", SCRIPT)
assert spec is not None
assert spec.loader is not None
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)
EXAMPLES: dict[str, Any] = script.EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_construct_is_found_in_its_example(name: str) -> None:
    assert name in {found.name for found in constructs(EXAMPLES[name])}


@pytest.mark.parametrize("server", sorted(tables()))
def test_the_tables_name_what_can_be_found(server: str) -> None:
    table = tables()[server]
    known = {*EXAMPLES, "$dynamicRef"}
    named = [name for kind in ("lost", "kept", "refused", "unknown") for name in table[kind]]
    assert set(named) <= known
    assert len(named) == len(set(named))
    assert table["version"]
    assert table["source"]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"minimum": {"type": "string"}, "format": {"type": "string"}}},
        {"type": "object", "properties": {"a": {"title": "A", "description": "of", "default": 3, "examples": [1]}}},
        {"enum": ["a", 1, None], "default": "a"},
        {"$ref": "#/$defs/a", "description": "b", "$defs": {"a": {"const": 1}}},
        {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        {
            "oneOf": [
                {"type": "object", "properties": {"kind": {"const": "a"}}, "required": ["kind"]},
                {"$ref": "#/$defs/b"},
            ],
            "$defs": {"b": {"type": "object", "properties": {"kind": {"enum": ["b", "c"]}}, "required": ["kind"]}},
        },
        {"type": "string", "enum": ["a", "b"]},
        {"type": "number", "enum": [1, 2.5]},
    ],
    ids=["names", "notes", "enum", "ref", "types", "discriminated", "typed enum", "typed numbers"],
)
def test_what_servers_enforce_is_not_named(schema: dict[str, Any]) -> None:
    assert lost("llama.cpp's chat completions", schema) == ()


def test_what_is_lost_is_named_with_its_place() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"type": "number", "minimum": 0}, "uniqueItems": True}},
        "$defs": {"d": {"anyOf": [{"type": "string", "pattern": r"^\d$"}]}},
    }
    assert set(lost("llama.cpp's chat completions", schema)) == {
        "uniqueItems at properties.a",
        "minimum (bounds of a number) at properties.a.items",
        r"pattern (pattern with \d, \w or \s) at $defs.d.anyOf[0]",
    }
    assert lost("llama.cpp's completions", schema) == ("uniqueItems at properties.a",)


def test_servers_differ() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "number", "maximum": 1}}, "required": ["n"]}
    assert lost("vLLM", schema) == ()
    assert lost("llama.cpp's chat completions", schema) != ()


@pytest.mark.parametrize(
    ("text", "schema", "found"),
    [
        ('{"a":1}', {"type": "object", "required": ["a"]}, None),
        ("{}", {"type": "object", "required": ["a"]}, "$: 'a' is a required property (required)"),
        ("[[1]]", {"items": {"items": {"type": "string"}}}, "$[0][0]: 1 is not of type 'string' (type)"),
        ('"x"', {"type": "string", "format": "ipv4"}, "$: 'x' is not a 'ipv4' (format)"),
        (
            "[1,1]",
            {"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"const": 2}]},
            "$[0]: 2 was expected (const)",
        ),
    ],
    ids=["good", "required", "place", "format", "draft 7"],
)
def test_the_checker(text: str, schema: dict[str, Any], found: str | None) -> None:
    assert schema_check.violation(text, schema) == found


@pytest.mark.parametrize("text", ["", "x", '{"a":', "NaN", "[" * 100_000], ids=["empty", "word", "cut", "NaN", "deep"])
def test_what_is_no_json(text: str) -> None:
    said = schema_check.violation(text, {})
    assert said is not None
    assert said.startswith("it is not JSON")


@pytest.mark.parametrize(
    "schema",
    [{"$ref": "https://schemas.example/one.json"}, {"pattern": "["}, {"type": "nothing"}, {"required": 3}],
    ids=["elsewhere", "pattern", "type", "wrong"],
)
def test_what_cannot_be_judged_by(schema: dict[str, Any]) -> None:
    with pytest.raises(schema_check.UncheckableError):
        schema_check.violation('"x"' if "required" not in schema else "{}", schema)
