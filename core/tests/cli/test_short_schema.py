"""`--schema 'name, age int'`: the short form of a JSON Schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ipfs_accel._cli.arguments import parse_schema
from ipfs_accel.errors import InvalidRequestError

TEXT: dict[str, Any] = {"type": "string"}


@pytest.mark.parametrize(
    ("text", "properties"),
    [
        ("name str", {"name": TEXT}),
        ("name, age int", {"name": TEXT, "age": {"type": "integer"}}),
        ("a str,b float ,c bool", {"a": TEXT, "b": {"type": "number"}, "c": {"type": "boolean"}}),
        ("tags str[], n int[]: some", {
            "tags": {"type": "array", "items": TEXT},
            "n": {"type": "array", "items": {"type": "integer"}, "description": "some"},
        }),
        ("age int: in years: whole ones", {"age": {"type": "integer", "description": "in years: whole ones"}}),
        ("größe-1: cm", {"größe-1": {"type": "string", "description": "cm"}}),
        ("\n  name: first, then last\n\n  age int,\n", {
            "name": {"type": "string", "description": "first, then last"}, "age": {"type": "integer"},
        }),
    ],
)  # fmt: skip
def test_fields(text: str, properties: dict[str, Any]) -> None:
    assert parse_schema(text).schema == {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name, age number", "at character 11: 'number' is no type: they are str, int, float, bool, and such as"),
        ("name, age int x", "at character 15: 'x' is more than a name and a type"),
        ("a,, b", "at character 3: a field is missing here"),
        ("a, 1b", "at character 4: '1b' is no name of a field"),
        ("a, : what", "at character 4: ':' is no name of a field"),
        ("a, b, a int", "at character 7: there are two fields 'a'"),
        ("a\n b intt", "at character 6: 'intt' is no type"),
    ],
)
def test_what_is_no_field_is_told_with_its_position(text: str, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"^--schema, {message}") as caught:
        parse_schema(text)
    assert "a field is NAME" in str(caught.value.hint)


@pytest.mark.parametrize("text", ["", " \n"])
def test_nothing_is_no_file(text: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"^--schema: it is empty") as caught:
        parse_schema(text)
    assert caught.value.hint == "give fields ('name, age int'), a file, or JSON"


def test_a_file_goes_before_a_field_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a person").write_text('{"type": "object"}')
    assert parse_schema("a person").schema == {"type": "object"}
    with pytest.raises(InvalidRequestError, match="--schema people: cannot read the file: No such file") as caught:
        parse_schema("people")
    assert caught.value.hint == "a single field is written with its type, as in 'name str'"
