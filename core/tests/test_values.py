"""Values are shown, compared and hashed as attrs does it."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import attrs
import pytest
from ipfs_accel._values import define, frozen


def make(decorate: Any) -> type[Any]:
    @decorate
    class Value:
        """Some fields of every sort that values have."""

        name: str
        hidden: int = attrs.field(default=1, repr=False)
        beside: Any = attrs.field(default=None, eq=False)
        folded: Any = attrs.field(default=(), repr=lambda value: f"<{len(value)}>", converter=tuple)

    return Value


@frozen(kw_only=True)
class Plain:
    name: str
    more: tuple[int, ...] = ()


@frozen
class Longer(Plain):
    last: int = attrs.field(default=0)


@frozen
class OwnWords:
    name: str

    def __repr__(self) -> str:
        return "own words"

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("options", [{}, {"kw_only": True}, {"eq": False}], ids=["by place", "by name", "alone"])
def test_what_a_value_shows_and_equals_is_what_attrs_would_have_made_of_it(options: dict[str, Any]) -> None:
    theirs, ours = make(attrs.frozen(**options)), make(frozen(**options))
    given: list[dict[str, Any]] = [
        {"name": "a"},
        {"name": "a", "hidden": 2},
        {"name": "a", "beside": 1},
        {"name": "b", "folded": [1, 2]},
        {"name": "b", "folded": [1, 3]},
        {"name": float("nan")},
    ]
    a, b = [theirs(**each) for each in given], [ours(**each) for each in given]
    assert [repr(each) for each in a] == [repr(each) for each in b]
    assert [[x == y for y in a] for x in a] == [[x == y for y in b] for x in b]
    assert [[x != y for y in a] for x in a] == [[x != y for y in b] for x in b]
    assert [[hash(x) == hash(y) for y in a] for x in a] == [[hash(x) == hash(y) for y in b] for x in b]
    assert theirs.__match_args__ == ours.__match_args__  # type: ignore[attr-defined]
    assert theirs.__slots__ == ours.__slots__  # type: ignore[attr-defined]
    assert b[0] != a[0]
    assert b[0].__eq__("a") is NotImplemented


@pytest.mark.parametrize("options", [{}, {"kw_only": True}, {"eq": False}], ids=["by place", "by name", "alone"])
def test_what_can_be_changed_is_made_as_attrs_makes_it(options: dict[str, Any]) -> None:
    theirs, ours = make(attrs.define(**options)), make(define(**options))
    a, b = theirs(name="a"), ours(name="a")
    assert (a == theirs(name="a"), repr(a)) == (b == ours(name="a"), repr(b))
    assert (theirs.__hash__ is None) == (ours.__hash__ is None) == options.get("eq", True)
    b.folded = [1]
    assert (b.folded, repr(b)) == ((1,), "make.<locals>.Value(name='a', beside=None, folded=<1>)".rpartition(">.")[2])


def test_a_value_stays_frozen_is_copied_changed_and_pickled() -> None:
    value = Plain(name="a", more=(1,))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        value.name = "b"  # type: ignore[misc]
    assert copy.copy(value) == pickle.loads(pickle.dumps(value)) == attrs.evolve(value, name="a") == value  # noqa: S301
    assert attrs.asdict(value) == {"name": "a", "more": (1,)}
    with pytest.raises(TypeError, match="unhashable"):
        hash(Plain(name=[]))  # type: ignore[arg-type]


def test_a_class_compares_with_its_own_kind_alone_and_with_all_that_it_inherits() -> None:
    one = Longer(name="a", last=1)
    assert one != Longer(name="b", last=1)
    assert one != Longer(name="a", last=2)
    assert one == Longer(name="a", last=1)
    assert Longer(name="a") != Plain(name="a")
    assert repr(one) == "Longer(name='a', more=(), last=1)"


def test_what_a_class_says_for_itself_holds() -> None:
    assert repr(OwnWords("a")) == "own words"
    assert OwnWords("a") == OwnWords("b")
    with pytest.raises(TypeError, match="unhashable"):
        hash(OwnWords("a"))


def test_a_value_within_itself_is_shown_once() -> None:
    inner: dict[str, Any] = {}
    value = make(frozen)("a", beside=inner)
    inner["self"] = value
    assert "{...}" in repr(value)
