"""Python's types as JSON Schema, and JSON as values of them."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import gc
import json
import pathlib
import re
import sys
import types
import uuid
import weakref
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Required, TypedDict, TypeVar

import annotated_types
import attrs
import jsonschema
import pydantic
import pytest
from ipfs_accel import JsonSchema
from ipfs_accel._typed.faults import MisfitError
from ipfs_accel._typed.form import Form, form_of
from ipfs_accel._typed.partial import PartialJson
from ipfs_accel.errors import InvalidValueError

Json = dict[str, Any]
T = TypeVar("T")
UserId = NewType("UserId", int)


class Color(enum.Enum):
    """Which colour."""

    RED = "red"
    GREEN = "green"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@attrs.define
class Stop:
    """A place on the way.

    It is stopped at.

    Attributes:
        city: Its name,
            as people there write it.
    """

    city: str
    nights: int = 1
    _note: str | None = None


@dataclasses.dataclass
class Trip:
    title: str
    stops: list[Stop]
    color: Color = Color.RED
    when: dt.date | None = None
    tags: frozenset[str] = frozenset()
    price: Annotated[float, "in euros"] = 0.0
    back: Trip | None = None


class Person(TypedDict, total=False):
    name: Required[str]
    age: int


class Point(NamedTuple):
    x: int
    y: Literal["p", "q"] = "p"


class Address(pydantic.BaseModel):
    """Where somebody lives."""

    city: str = pydantic.Field(description="of the address", min_length=1)
    street: str = "none"
    floor: int | None = None


class Family(pydantic.BaseModel):
    address: Address
    children: list[Family] = []
    pet: Annotated[Cat | Dog | None, pydantic.Field(discriminator="kind")] = None


class Cat(pydantic.BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(pydantic.BaseModel):
    kind: Literal["dog"]
    name: str = "Rex"


@attrs.define
class Page(Generic[T]):
    items: list[T]
    total: int = 0


@dataclasses.dataclass
class Circle:
    kind: Literal["circle"]
    size: int


@dataclasses.dataclass
class Square:
    kind: Literal["square"]
    size: str


Family.model_rebuild()

# A type, what a server answers, and the value.
FITS: list[tuple[Any, Any, Any]] = [
    (Stop, {"city": "a", "nights": 2, "note": "n"}, Stop("a", 2, "n")),
    (Stop, {"city": "a", "nights": None, "note": None}, Stop("a")),  # null stands for what is left out
    (Stop, {"city": "a"}, Stop("a")),  # as servers answer that enforce nothing
    (Trip, {"title": "t", "stops": [{"city": "a"}], "color": "green", "when": "2026-01-02", "tags": ["x", "x"], "price": 2, "back": {"title": "u", "stops": []}},
     Trip("t", [Stop("a")], Color.GREEN, dt.date(2026, 1, 2), frozenset({"x"}), 2.0, Trip("u", []))),
    (Person, {"name": "a", "age": None}, {"name": "a"}),
    (Person, {"name": "a", "age": 3}, {"name": "a", "age": 3}),
    (Point, {"x": 1, "y": None}, Point(1)),
    (Point, {"x": 1, "y": "q"}, Point(1, "q")),
    (Address, {"city": "a", "street": None, "floor": None}, Address(city="a")),
    (Family, {"address": {"city": "a", "street": None, "floor": 2}, "children": [{"address": {"city": "b", "street": "s"}, "children": None, "pet": None}], "pet": {"kind": "dog", "name": None}},
     Family(address=Address(city="a", floor=2), children=[Family(address=Address(city="b", street="s"))], pet=Dog(kind="dog"))),
    (list[Family], [{"address": {"city": "a", "street": None, "floor": None}, "children": None, "pet": {"kind": "cat", "lives": None}}],
     [Family(address=Address(city="a"), pet=Cat(kind="cat"))]),
    (Page[Stop], {"items": [{"city": "a"}], "total": None}, Page([Stop("a")])),
    (Page[int], {"items": [1], "total": 1}, Page([1], 1)),
    (Color, "red", Color.RED),
    (Level, 2, Level.HIGH),
    (Literal["a", 1, True] | None, 1, 1),
    (Literal["a", 1, True, None], True, True),  # noqa: PYI061
    (Literal["a", 1, True, None], None, None),  # noqa: PYI061
    (list[Stop], [{"city": "a"}, {"city": "b"}], [Stop("a"), Stop("b")]),
    (Sequence[int], [1], [1]),
    (tuple[int, ...], [1, 2], (1, 2)),
    (tuple[int, str], [1, "a"], (1, "a")),
    (set[int], [1, 1], {1}),
    (collections.deque[int], [1], collections.deque([1])),
    (dict[str, Stop], {"k": {"city": "a"}}, {"k": Stop("a")}),
    (Mapping[str, int], {"k": 1}, {"k": 1}),
    (list, [1, "a"], [1, "a"]),
    (Any, {"a": [1]}, {"a": [1]}),
    (int, 3.0, 3),
    (float, 3, 3.0),
    (bool, True, True),
    (str, "s", "s"),
    (None, None, None),
    (UserId, 3, 3),
    (dt.datetime, "2026-01-02T03:04:05+00:00", dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)),
    (dt.time, "03:04:05", dt.time(3, 4, 5)),
    (uuid.UUID, "12345678-1234-5678-1234-567812345678", uuid.UUID("12345678-1234-5678-1234-567812345678")),
    (decimal.Decimal, "12.50", decimal.Decimal("12.50")),
    (pathlib.Path, "/a/b", pathlib.Path("/a/b")),
    (int | None, None, None),
    (int | str, "1", "1"),
    (float | int, 3, 3),
    (dt.date | str, "2026-01-02", dt.date(2026, 1, 2)),
    (dt.date | str, "soon", "soon"),
    (Stop | Point, {"x": 1, "y": "p"}, Point(1, "p")),
    (Circle | Square, {"kind": "square", "size": "3"}, Square("square", "3")),
    (list[int] | dict[str, int], {"a": 1}, {"a": 1}),
    (Cat | Stop, {"kind": "cat", "lives": None}, Cat(kind="cat")),
    (Annotated[int, annotated_types.Ge(1)], 1, 1),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(FITS)))
def test_what_fits_becomes_a_value_and_follows_the_schema(case: int) -> None:
    kind, answer, expected = FITS[case]
    form = form_of(kind)
    text = json.dumps({"value": answer} if form.is_wrapped else answer)
    assert form.value(form.plain(text)) == expected
    assert type(form.value(form.plain(text))) is type(expected)
    jsonschema.Draft202012Validator.check_schema(form.schema)
    jsonschema.Draft202012Validator(_without_required(form.schema)).validate(json.loads(text))


def _without_required(schema: Any) -> Any:
    """Return a schema for answers of servers that enforce nothing, which may leave out what may be null."""
    if isinstance(schema, list):
        return [_without_required(each) for each in schema]
    if isinstance(schema, dict):
        return {name: _without_required(each) for name, each in schema.items() if name != "required"}
    return schema


# A type, an answer, and the places where it does not fit.
MISFITS: list[tuple[Any, Any, list[str]]] = [
    (Trip, {"title": 1, "stops": [{"city": None, "nights": "2", "zz": 1}], "color": "blue", "when": "x", "tags": "abc"},
     ["$.title: expected a text, got 1", "$.stops[0].city: expected a text, got null", "$.stops[0].nights: expected an integer, got '2'",
      "$.stops[0].zz: unknown member", "$.color: expected one of 'red', 'green', got 'blue'", "$.when: expected a date such as 2026-01-31, got 'x'",
      "$.tags: expected an array, got 'abc'"]),
    (Trip, {"title": "t"}, ["$.stops: missing"]),
    (Trip, [], ["$: expected an object, got an array"]),
    (Person, {"age": 1}, ["$.name: missing"]),
    (Point, {"x": 1.5}, ["$.x: expected an integer, got 1.5"]),
    (Family, {"address": {"city": ""}, "children": [{}]}, ["$.address.city: String should have at least 1 character", "$.children[0].address: Field required"]),
    (list[Address], [{"city": "a"}, {}], ["$[1].city: Field required"]),
    (int, True, ["$: expected an integer, got true"]),
    (bool, 1, ["$: expected true or false, got 1"]),
    (str, 1, ["$: expected a text, got 1"]),
    (float, "1", ["$: expected a number, got '1'"]),
    (Literal["a", 1], True, ["$: expected one of 'a', 1, got true"]),
    (Level, "2", ["$: expected one of 1, 2, got '2'"]),
    (tuple[int, str], [1], ["$: expected 2 items, got 1"]),
    (tuple[int, str], ["a", 1], ["$[0]: expected an integer, got 'a'", "$[1]: expected a text, got 1"]),
    (dict[str, list[int]], {"k": [1, "a"]}, ["$.k[1]: expected an integer, got 'a'"]),
    (int | None, "a", ["$: expected an integer, got 'a'"]),
    (Stop | None, {"city": 3}, ["$.city: expected a text, got 3"]),
    (Circle | Square, {"kind": "circle", "size": "3"}, ["$.size: expected an integer, got '3'"]),
    (int | list[int], "a", ["$: it is none of int, list[int]: 'a'"]),
    (decimal.Decimal, "much", ["$: expected a decimal number, as a text, got 'much'"]),
    (uuid.UUID, "x" * 100, [f"$: expected a UUID, got '{'x' * 59}…"]),
    (None, 1, ["$: expected null, got 1"]),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(MISFITS)))
def test_what_does_not_fit_is_told_with_each_place(case: int) -> None:
    kind, answer, faults = MISFITS[case]
    with pytest.raises(MisfitError) as caught:
        form_of(kind).value(answer)
    assert [str(each) for each in caught.value.faults] == faults


def test_a_class_that_refuses_a_value_says_why() -> None:
    @attrs.define
    class Even:
        number: int = attrs.field()

        @number.validator
        def _check(self, _attribute: Any, value: int) -> None:
            if value % 2:
                raise ValueError(f"{value} is odd")

    with pytest.raises(MisfitError) as caught:
        form_of(list[Even]).value([{"number": 2}, {"number": 3}])
    assert [str(each) for each in caught.value.faults] == ["$[1]: 3 is odd"]


# As annotations are where nothing is imported from `__future__`: the name alone is a text.
_TREES: Any = types.GenericAlias(list, ("Tree",))
Tree: Any = dataclasses.make_dataclass(
    "Tree",
    [("name", str), ("children", _TREES, dataclasses.field(default_factory=list))],
    namespace={"__module__": __name__},
)


@dataclasses.dataclass
class Holder(Generic[T]):
    held: T


@dataclasses.dataclass
class Lists(Holder[list[T]], Generic[T]):
    first: T


@dataclasses.dataclass
class Counts(Lists[int]):
    unit: str


class Held(TypedDict, Generic[T]):
    held: T


class HeldCount(Held[int]):
    unit: str


class Pair(NamedTuple, Generic[T]):
    left: T


@dataclasses.dataclass
class Scaled:
    value: int
    factor: dataclasses.InitVar[int]

    def __post_init__(self, factor: int) -> None:
        self.value *= factor


@pytest.mark.parametrize(
    ("kind", "good", "bad", "path"),
    [
        (Counts, {"held": [1], "first": 2, "unit": "m"}, {"held": ["a"], "first": 2, "unit": "m"}, "$.held[0]"),
        (HeldCount, {"held": 1, "unit": "m"}, {"held": "a", "unit": "m"}, "$.held"),
        (Pair[int], {"left": 1}, {"left": "a"}, "$.left"),
    ],
    ids=["dataclass", "TypedDict", "NamedTuple"],
)
def test_what_a_generic_class_holds_is_known_to_those_that_inherit(kind: Any, good: Json, bad: Json, path: str) -> None:
    form = Form(kind)
    jsonschema.validate(good, form.schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(bad, form.schema)
    found: Any = form.value(good)
    assert good == (found if isinstance(found, dict) else {name: getattr(found, name) for name in good})
    with pytest.raises(MisfitError) as caught:
        form.value(bad)
    assert path == caught.value.faults[0].path


def test_a_class_within_a_list_of_its_own_may_be_named_by_a_text_in_it() -> None:
    assert Tree("a", [Tree("b")]) == Form(Tree).value({"name": "a", "children": [{"name": "b"}]})


def test_notes_that_have_no_hash_leave_a_type_what_it_is() -> None:
    bounded = Annotated[int, {"minimum": 1}]
    assert Form(bounded).value(2) == 2
    assert Form(list[bounded]).value([2]) == [2]
    assert Form(dict[str, tuple[bounded, str]]).value({"a": [2, "b"]}) == {"a": (2, "b")}


def test_what_a_class_is_made_with_alone_is_a_member() -> None:
    assert Form(Scaled).value({"value": 2, "factor": 3}).value == 6
    assert list(Form(Scaled).schema["properties"]) == ["value", "factor"]


def test_faults_have_the_names_of_the_schema() -> None:
    with pytest.raises(MisfitError) as caught:
        Form(Stop).value({"city": "a", "_note": "b", "note": 1})
    assert [each.path for each in caught.value.faults] == ["$._note", "$.note"]


def test_a_schema_has_the_order_of_its_type_whatever_was_asked_for_before() -> None:
    assert [form_of(Literal["a", "b"]).inner["enum"], form_of(Literal["b", "a"]).inner["enum"]] == [
        ["a", "b"],
        ["b", "a"],
    ]
    assert form_of(str | int).inner != form_of(int | str).inner


def test_classes_are_not_kept_for_good() -> None:
    def used() -> weakref.ref[Any]:
        kind = attrs.make_class("kind", {"value": attrs.field(type=int)})
        assert form_of(kind).value({"value": 1}).value == 1
        return weakref.ref(kind)

    seen = [used() for _ in range(400)]
    gc.collect()
    assert seen[0]() is None


def test_members_may_have_the_names_of_keywords() -> None:
    kind = TypedDict("kind", {"anyOf": str, "$ref": int, "properties": bool, "required": str})
    value = {"anyOf": "a", "$ref": 1, "properties": True, "required": "b"}
    jsonschema.validate(value, Form(kind).schema)
    assert Form(kind).value(value) == value


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "sNaN"])
def test_what_is_no_number_is_no_decimal_number(text: str) -> None:
    with pytest.raises(MisfitError, match="expected a decimal number"):
        Form(decimal.Decimal).value(text)


def test_a_tuple_of_nothing_has_nothing_in_it() -> None:
    with pytest.raises(MisfitError, match="expected 0 items, got 1"):
        Form(tuple[()]).value([1])
    assert Form(tuple[()]).inner["maxItems"] == 0


@dataclasses.dataclass
class Refusing:
    value: int

    def __post_init__(self) -> None:
        raise KeyError


def test_a_class_may_refuse_a_value_without_a_word() -> None:
    with pytest.raises(MisfitError, match=r"\$: KeyError"):
        Form(Refusing).value({"value": 1})


@dataclasses.dataclass
class Stopped:
    color: Annotated[Literal[Color.RED], "always"]
    seconds: int


@dataclasses.dataclass
class Going:
    color: Annotated[Literal[Color.GREEN], "always"]
    seconds: int


def test_constants_of_an_enum_tell_which_of_several_was_meant() -> None:
    with pytest.raises(MisfitError, match=r"\$.seconds: expected an integer, got 'a'"):
        Form(Stopped | Going).value({"color": "green", "seconds": "a"})
    with pytest.raises(MisfitError, match="expected one of 'red', got 'blue'"):
        Form(Stopped).value({"color": "blue", "seconds": 1})


def test_the_schema_of_a_model_is_written_once_for_all_of_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    class Item(pydantic.BaseModel):
        count: int = 1

    form, written = Form(list[Item]), Item.model_json_schema
    asked: list[Json] = []

    def counted(**options: Any) -> Json:
        asked.append(options)
        return written(**options)

    monkeypatch.setattr(Item, "model_json_schema", counted)
    assert [Item(), Item(count=2)] == form.value([{"count": None}, {"count": 2}])
    assert len(asked) == 1


def test_an_object_has_all_members_and_no_others() -> None:
    null = {"type": "null"}
    assert JsonSchema.of(Stop) == JsonSchema(
        name="Stop",
        description="A place on the way.\n\nIt is stopped at.",
        schema={
            "type": "object",
            "description": "A place on the way.\n\nIt is stopped at.",
            "properties": {
                "city": {"type": "string", "description": "Its name, as people there write it."},
                "nights": {"anyOf": [{"type": "integer"}, null]},
                "note": {"anyOf": [{"type": "string"}, null]},
            },
            "required": ["city", "nights", "note"],
            "additionalProperties": False,
        },
        adapts=True,
    )


def test_what_is_no_object_is_a_member_of_one() -> None:
    assert form_of(list[int]).schema == {
        "type": "object",
        "properties": {"value": {"type": "array", "items": {"type": "integer"}}},
        "required": ["value"],
        "additionalProperties": False,
    }
    assert form_of(list[int]).name == "list_int"


def test_a_class_within_itself_is_a_definition() -> None:
    schema = form_of(Trip).schema
    assert schema["type"] == "object"
    assert [*schema["$defs"]] == ["Trip"]
    assert schema["properties"]["back"] == {"anyOf": [{"$ref": "#/$defs/Trip"}, {"type": "null"}]}
    wrapped = form_of(list[Trip]).schema
    assert wrapped["properties"]["value"]["items"] == {"$ref": "#/$defs/Trip"}


def test_a_class_that_is_used_twice_is_written_once() -> None:
    schema = form_of(tuple[Stop, list[Stop]]).schema
    assert [*schema["$defs"]] == ["Stop"]


@pytest.mark.parametrize(
    ("note", "added"),
    [
        (annotated_types.Ge(1), {"minimum": 1}),
        (annotated_types.Interval(gt=1, le=5), {"exclusiveMinimum": 1, "maximum": 5}),
        (pydantic.Field(ge=1, description="d"), {"minimum": 1, "description": "d"}),
        ({"multipleOf": 3}, {"multipleOf": 3}),
    ],
    ids=["annotated-types", "interval", "pydantic", "keywords"],
)
def test_bounds_are_keywords(note: Any, added: Json) -> None:
    form = Form(Annotated[int, note])
    assert form.inner == {"type": "integer", **added}
    assert form.has_keywords


def test_lengths_are_of_what_has_them() -> None:
    length = annotated_types.Len(1, 3)
    assert Form(Annotated[str, length]).inner == {"type": "string", "minLength": 1, "maxLength": 3}
    assert Form(Annotated[list[int], length]).inner == {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3}  # fmt: skip


def test_a_description_alone_bounds_nothing() -> None:
    assert not form_of(Annotated[int, "a number"]).has_keywords
    assert form_of(Annotated[int, "a number"]).inner["description"] == "a number"


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (bytes, "$: bytes"),
        (list[dict[str, complex]], "$[].*: complex"),
        (dict[int, str], "$: the keys"),
        (object(), "$: "),
        (enum.Enum("E", {"A": (1, 2)}), "$ (E): (1, 2)"),
        (enum.Flag("F", ["A"]), "$: F is a set of flags"),
        (attrs.make_class("Made", {"inner": attrs.field(type=list[bytes])}), "$.inner[]: bytes"),
    ],
    ids=["bytes", "deep", "keys", "value", "enum", "flag", "member"],
)
def test_what_cannot_be_written_is_refused_with_its_path(kind: Any, path: str) -> None:
    with pytest.raises(InvalidValueError, match=re.escape(path)):
        JsonSchema.of(kind)


def test_an_annotation_that_names_nothing_is_refused() -> None:
    @dataclasses.dataclass
    class Lost:
        inner: Nowhere  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(InvalidValueError, match="Lost: its annotations cannot be read: name 'Nowhere'"):
        JsonSchema.of(Lost)


@pytest.mark.parametrize(
    "text", ['{"city": "a"}', ' {"city": "a"}\n', '```json\n{"city": "a"}\n```', '```\n{"city": "a"}\n```\n']
)
def test_a_fence_around_all_of_an_answer_is_left_out(text: str) -> None:
    assert form_of(Stop).plain(text) == {"city": "a"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "$: nothing was said"),
        ("Sure!", "$: it is not JSON"),
        ('{"city": NaN}', "$: it is not JSON"),
        ("[1]", "$: expected an object with the member 'value' alone, got an array"),
        ('{"value": [1], "more": 1}', "$: expected an object with the member 'value' alone"),
    ],
)
def test_what_is_not_in_the_form_is_a_fault_of_the_whole(text: str, fault: str) -> None:
    with pytest.raises(MisfitError) as caught:
        form_of(list[int]).plain(text)
    assert str(caught.value.faults[0]).startswith(fault)


def test_a_name_fits_what_providers_take() -> None:
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", form_of(Page[Stop | None]).name)
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", form_of(Literal["ä", "ö"]).name)


DOCUMENTS: list[Any] = [
    {"a": [1, 2.5, {"b": 'x"y\\z é \U0001f600 \n', "c": None, "d": []}], "e": True, "f": {}, "g": {"a": {"a": "q"}}},
    [1, "a"],
    "text",
    12,
    [[], [{}], {"a": {}}],
    {"k": "v", "k2": {"k": "w"}},
]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("document", range(len(DOCUMENTS)))
def test_a_text_in_pieces_is_what_it_is_whole(document: int, size: int) -> None:
    for is_ascii in (True, False):
        text = json.dumps(DOCUMENTS[document], ensure_ascii=is_ascii) + " "
        growing = PartialJson()
        for start in range(0, len(text), size):
            growing.feed(text[start : start + size])
            json.dumps(growing.value)
        assert growing.value == DOCUMENTS[document]


def test_a_text_grows_and_a_number_waits_until_it_is_whole() -> None:
    growing, seen = PartialJson(), []
    for sign in '{"city": "Rio", "n": 12, "l": [{"t": "a':
        growing.feed(sign)
        if not seen or growing.value != seen[-1]:
            seen.append(growing.value)
    assert seen == [
        {},
        {"city": ""},
        {"city": "R"},
        {"city": "Ri"},
        {"city": "Rio"},
        {"city": "Rio", "n": 12},
        {"city": "Rio", "n": 12, "l": []},
        {"city": "Rio", "n": 12, "l": [{}]},
        {"city": "Rio", "n": 12, "l": [{"t": ""}]},
        {"city": "Rio", "n": 12, "l": [{"t": "a"}]},
    ]


def test_a_fence_around_what_comes_is_left_out() -> None:
    growing = PartialJson()
    seen: list[Any] = []
    for piece in ("``", "`js", 'on\n{"a": "', "x", '"}\n`', "``"):
        growing.feed(piece)
        seen.append(growing.value)
    assert seen == [None, None, {"a": ""}, {"a": "x"}, {"a": "x"}, {"a": "x"}]


def test_half_a_character_waits_for_its_other_half() -> None:
    growing = PartialJson()
    growing.feed(r'["x\ud83d')
    assert growing.value == ["x"]
    growing.feed(r"\ude00")
    assert growing.value == ["x\U0001f600"]


def test_what_is_nested_without_end_ends() -> None:
    growing = PartialJson()
    growing.feed('[1,{"a":' * 5000)
    assert growing.value[0] == 1


def test_what_is_no_json_gives_what_came_before_it() -> None:
    growing = PartialJson()
    growing.feed('{"a": 1, "b": nope, "c": 2}')
    assert growing.value == {"a": 1}


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type statements came with Python 3.12")
def test_an_alias_by_a_type_statement_may_be_within_itself() -> None:
    names: dict[str, Any] = {}
    exec("type Tree = dict[str, Tree] | int\ntype Pair[T] = tuple[T, T]", names)  # noqa: S102 - no syntax of 3.11
    tree = form_of(names["Tree"])
    assert tree.value({"a": {"b": 1}}) == {"a": {"b": 1}}
    with pytest.raises(MisfitError):
        tree.value({"a": {"b": "x"}})
    assert form_of(names["Pair"][int]).value([1, 2]) == (1, 2)
