"""Schemas in other words: what is rewritten says the same, and the rest stays as it is."""

from __future__ import annotations

import itertools
from typing import Any

import jsonschema
import pytest
from ipfs_accel.types import ChatRequest, JsonSchema, Message, Tool
from ipfs_accel.wire.schema_drafts import in_other_words

PAIR = [{"type": "integer"}, {"type": "boolean"}]
CLOSED = {"type": "object", "additionalProperties": False}
INTEGER = {"type": "integer"}

REWRITTEN: list[tuple[Any, Any]] = [
    ({"type": "array", "items": PAIR}, {"type": "array", "prefixItems": PAIR}),
    ({"type": "array", "items": PAIR, "additionalItems": False}, {"type": "array", "prefixItems": PAIR, "items": False}),
    ({**CLOSED, "properties": {"a": INTEGER, "b": False}}, {**CLOSED, "properties": {"a": INTEGER}}),
    ({"anyOf": [{"items": PAIR}, INTEGER]}, {"anyOf": [{"prefixItems": PAIR}, INTEGER]}),
    ({"$defs": {"x": {"items": PAIR}}, "$ref": "#/$defs/x"}, {"$defs": {"x": {"prefixItems": PAIR}}, "$ref": "#/$defs/x"}),
    ({**CLOSED, "properties": {"a": {"items": {"items": PAIR}}}}, {**CLOSED, "properties": {"a": {"items": {"prefixItems": PAIR}}}}),
]  # fmt: skip
KEPT: list[Any] = [
    {"type": "array", "prefixItems": PAIR, "items": False},
    {"type": "object", "properties": {"b": False}},  # without it, there could be any
    {**CLOSED, "properties": {"b": False}, "required": ["b"]},
    {"enum": [{"items": PAIR}]},  # a value and no schema
    {"type": "array", "items": PAIR, "contains": {"$ref": "#/items/0"}},
]
VALUES = [*itertools.product([1, True, "x"], repeat=2), {}, {"a": 1}, {"b": 1}, {"a": [[1, True]]}, {"a": [[True, 1]]}, 1, [1, True, 1]]  # fmt: skip


def asked(schema: Any, *, strict: bool | None = None) -> ChatRequest:
    tool = Tool(name="f", parameters=schema, strict=strict)
    return ChatRequest(model="m", messages=(Message.user("q"),), response_format=JsonSchema(schema=schema), tools=(tool,))  # fmt: skip


@pytest.mark.parametrize("case", range(len(REWRITTEN)))
def test_what_fails_is_written_otherwise(case: int) -> None:
    given, expected = REWRITTEN[case]
    made = in_other_words(asked(given, strict=True))
    assert made.response_format.schema == expected  # type: ignore[union-attr]
    assert made.tools[0].parameters == expected
    assert in_other_words(asked(given)).tools[0].parameters == given
    draft = jsonschema.Draft7Validator if "items" in str(given) else jsonschema.Draft202012Validator
    for value in VALUES:
        each = list(value) if isinstance(value, tuple) else value
        assert draft(given).is_valid(each) is jsonschema.Draft202012Validator(expected).is_valid(each)


@pytest.mark.parametrize("case", range(len(KEPT)))
def test_the_rest_stays_as_it_is(case: int) -> None:
    given = asked(KEPT[case], strict=True)
    assert in_other_words(given) == given
    assert in_other_words(given).response_format is given.response_format
