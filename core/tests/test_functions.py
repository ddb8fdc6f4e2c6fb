"""Functions as tools: what models are told of them, and arguments as values of their parameters."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import functools
import pathlib
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any, Literal, NamedTuple

import annotated_types
import anyio
import attrs
import pydantic
import pytest
from ipfs_accel import Client, Config, Tool
from ipfs_accel._typed.faults import MisfitError
from ipfs_accel._typed.functions import Function
from ipfs_accel._typed.plain import plain
from ipfs_accel.errors import InvalidRequestError, InvalidValueError

Json = dict[str, Any]


@dataclasses.dataclass
class Place:
    """A place."""

    city: str
    country: str | None = None


def google(place: Place, unit: Literal["c", "f"] = "c", *, days: Annotated[int, "how many"] = 1) -> str:
    """Tell the weather.

    As it
    will be.

    Args:
        place: Where
            it is.
        unit (str, optional): Of the temperature: c or f.
        days: Not this, as the annotation says it.

    Returns:
        A sentence.
    """
    return f"{place.city} {unit} {days}"


def numpy(a: int, b: str = "x", c: str = "y") -> str:
    """Do it.

    Parameters
    ----------
    a : int
        The a.
    b, c : str, optional
        The others,
        both.

    Returns
    -------
    str
        Nothing of a.
    """
    return f"{a}{b}{c}"


def sphinx(a: int, b: str | None = None) -> str:
    """Do it.

    :param a: The a.
    :param str b: The b
        goes on.
    :returns: a: or not.
    """
    return f"{a}{b}"


async def awaited(a: int) -> str:
    return str(a)


def bare(a: int, /, b: int = 2) -> int:
    return a + b


class Desk:
    def ask(self, question: str) -> str:
        """Ask the desk."""
        return question

    @staticmethod
    def ring(times: int) -> int:
        return times

    def __call__(self, z: int) -> int:
        return z


INTEGER, TEXT = {"type": "integer"}, {"type": "string"}
NULL = {"type": "null"}
TOOLS: dict[str, tuple[Any, str, str | None, Json, list[str]]] = {
    "google": (google, "google", "Tell the weather.\n\nAs it will be.", {
        "place": {"type": "object", "properties": {"city": TEXT, "country": {"anyOf": [TEXT, NULL]}}, "required": ["city", "country"], "additionalProperties": False, "description": "Where it is."},
        "unit": {"type": "string", "enum": ["c", "f"], "description": "Of the temperature: c or f."},
        "days": {"type": "integer", "description": "how many"},
    }, ["place"]),
    "numpy": (numpy, "numpy", "Do it.", {"a": {**INTEGER, "description": "The a."}, "b": {**TEXT, "description": "The others, both."}, "c": {**TEXT, "description": "The others, both."}}, ["a"]),
    "sphinx": (sphinx, "sphinx", "Do it.", {"a": {**INTEGER, "description": "The a."}, "b": {"anyOf": [TEXT, NULL], "description": "The b goes on."}}, ["a"]),
    "awaited": (awaited, "awaited", None, {"a": INTEGER}, ["a"]),
    "by position": (bare, "bare", None, {"a": INTEGER, "b": INTEGER}, ["a"]),
    "method": (Desk().ask, "ask", "Ask the desk.", {"question": TEXT}, ["question"]),
    "static": (Desk.ring, "ring", None, {"times": INTEGER}, ["times"]),
    "partial": (functools.partial(numpy, b="q"), "numpy", "Do it.", {"a": {**INTEGER, "description": "The a."}, "b": {**TEXT, "description": "The others, both."}, "c": {**TEXT, "description": "The others, both."}}, ["a"]),
    "object": (Desk(), "Desk", None, {"z": INTEGER}, ["z"]),
}  # fmt: skip


@pytest.mark.parametrize("case", TOOLS)
def test_a_tool_is_what_its_function_says(case: str) -> None:
    function, name, description, properties, required = TOOLS[case]
    tool = Tool.of(function)
    assert (tool.name, tool.description) == (name, description)
    assert tool.parameters == {"type": "object", "properties": properties, "required": required, "additionalProperties": False}  # fmt: skip
    assert tool.function is function


def test_a_name_and_a_description_may_be_given() -> None:
    tool = Tool.of(lambda: 1, name="one", description="Gives one.", strict=True, needs_approval=True)
    assert (tool.name, tool.description, tool.strict, tool.needs_approval) == ("one", "Gives one.", True, True)
    assert tool.parameters == {"type": "object", "properties": {}, "additionalProperties": False}


class Stepper:
    def __call__(self, n: int) -> Iterator[int]:
        yield n


def star(*args: int) -> None: ...
def double(**more: int) -> None: ...
def steps(n: int) -> Iterator[int]:
    yield n


async def awaited_steps(n: int) -> AsyncIterator[int]:
    yield n


def naked(a) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
def binary(a: list[bytes]) -> None: ...


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (star, r"star: \*args takes what has no name"),
        (double, r"double: \*\*more takes what has no name"),
        (steps, "steps: it yields"),
        (functools.partial(steps, 1), "steps: it yields"),
        (awaited_steps, "awaited_steps: it yields"),
        (Stepper(), "Stepper: it yields"),
        (naked, "naked: a has no annotation"),
        (binary, r"\$\.a\[\]: bytes cannot be written"),
        (lambda: 1, "is no name of a tool"),
        (Place, "is no function"),
        (3, "3 is no function"),
    ],
)
def test_what_models_cannot_be_told_is_refused(function: Any, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        Tool.of(function)


def test_functions_are_tools_of_any_chat() -> None:
    with Client(Config(environ={})) as client:
        with pytest.raises(InvalidRequestError, match=r"tools\[1\]: naked: a has no annotation"):
            client.chat("openai/gpt-4.1", "a", tools=[google, naked])
        with pytest.raises(InvalidRequestError, match=r"tools\[0\]: expected a Tool, a function or a dict, got int"):
            client.chat("openai/gpt-4.1", "a", tools=[3])  # type: ignore[list-item]


def read(function: Function, arguments: str) -> Json:
    return function.values(function.given(arguments))


@pytest.mark.parametrize(
    ("function", "arguments", "values"),
    [
        (
            google,
            '{"place": {"city": "a", "country": null}, "unit": null, "days": 2}',
            {"place": Place("a"), "days": 2},
        ),
        (google, '{"place": {"city": "a"}}', {"place": Place("a")}),
        (sphinx, '{"a": 1, "b": null}', {"a": 1, "b": None}),
        (Desk.ring, '{"times": 2.0}', {"times": 2}),
        (lambda: 1, "", {}),
    ],
)
def test_arguments_are_values(function: Callable[..., Any], arguments: str, values: Json) -> None:
    assert read(Function(function, "f"), arguments) == values


@pytest.mark.parametrize(
    ("arguments", "faults"),
    [
        ('{"place": {"city": 1}, "unit": "k", "zz": 1, "days": "1"}',
         ["$.place.city: expected a text, got 1", "$.unit: expected one of 'c', 'f', got 'k'", "$.zz: unknown argument", "$.days: expected an integer, got '1'"]),
        ("{}", ["$.place: missing"]),
        ("[]", ["$: expected an object, got an array"]),
        ("{", ["$: it is not JSON"]),
        ('{"place": null}', ["$.place: expected an object, got null"]),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit_are_told_with_their_places(arguments: str, faults: list[str]) -> None:
    with pytest.raises(MisfitError) as caught:
        read(Function(google), arguments)
    assert [str(each)[: len(wanted)] for each, wanted in zip(caught.value.faults, faults, strict=True)] == faults


def test_a_function_is_called_with_its_values() -> None:
    assert Function(bare)({"a": 1, "b": 5}) == 6
    assert Function(google)({"place": Place("a"), "days": 3}) == "a c 3"
    assert Function(Desk().ask)({"question": "q"}) == "q"


def test_what_is_left_out_before_another_keeps_its_place() -> None:
    def where(street: str = "Main", number: int = 1, /, city: str = "Bonn") -> str:
        return f"{street} {number}, {city}"

    function = Function(where)
    assert function(read(function, '{"number": 5}')) == "Main 5, Bonn"


def test_a_decorator_says_whether_a_function_is_awaited() -> None:
    @functools.wraps(awaited)
    def waits(a: int) -> str:
        return anyio.run(awaited, a)

    @functools.wraps(sphinx)
    async def defers(*given: Any, **named: Any) -> Any:
        return sphinx(*given, **named)

    assert not Function(waits).is_async
    assert Function(defers).is_async


def test_bounds_of_arguments_are_known() -> None:
    def rate(stars: Annotated[int, annotated_types.Interval(ge=1, le=5)]) -> None: ...

    function = Function(rate)
    assert function.has_keywords
    assert function.parameters["properties"]["stars"] == {"type": "integer", "minimum": 1, "maximum": 5}


class Color(enum.Enum):
    RED = "red"


class Point(NamedTuple):
    x: int
    color: Color


@attrs.define
class Made:
    _hidden: int
    when: dt.date


class Model(pydantic.BaseModel):
    at: dt.datetime


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": (1, 2.5, None, True)}, {"a": [1, 2.5, None, True]}),
        (Point(1, Color.RED), {"x": 1, "color": "red"}),
        (Made(1, dt.date(2026, 1, 2)), {"hidden": 1, "when": "2026-01-02"}),
        (Place("a"), {"city": "a", "country": None}),
        (Model(at=dt.datetime(2026, 1, 2, tzinfo=dt.UTC)), {"at": "2026-01-02T00:00:00Z"}),
        ([uuid.UUID(int=1), decimal.Decimal("1.50"), pathlib.PurePosixPath("/a")], ["00000000-0000-0000-0000-000000000001", "1.50", "/a"]),
        ({Color.RED: {1}, 2: frozenset({3})}, {"red": [1], "2": [3]}),
    ],
)  # fmt: skip
def test_what_a_tool_returns_has_a_form_in_json(value: Any, expected: Any) -> None:
    assert plain(value) == expected


@pytest.mark.parametrize("value", [b"x", object(), [object()], Client, Place])
def test_what_has_none_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="has no form in JSON"):
        plain(value)
