"""Messages, requests and answers are values: frozen, compared by what they hold, printed short and without bulk."""

from __future__ import annotations

import copy

import attrs
import pytest
from ipfs_accel import types
from ipfs_accel.types import ChatResponse, Choice, Image, Message, Text, ToolCall, Usage

KINDS = [kind for name in types.__all__ if attrs.has(kind := getattr(types, name))]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_value_is_frozen_and_has_no_room_for_strangers(kind: type[attrs.AttrsInstance]) -> None:
    value = object.__new__(kind)
    for name in [*[field.name for field in attrs.fields(kind)][:1], "no_such_field"]:
        with pytest.raises((attrs.exceptions.FrozenInstanceError, AttributeError)):
            setattr(value, name, 1)


def test_values_are_equal_if_what_they_hold_is() -> None:
    one, other = Message.user("What?", "And why?"), Message.user("What?", "And why?")
    assert one == other
    assert copy.deepcopy(one) == one
    assert one != Message.user("What?")


def test_the_text_of_a_message_is_that_of_its_parts() -> None:
    message = Message.user("Look: ", Image(data=b"\x89PNG", media_type="image/png"), "nice")
    assert message.text == "Look: nice"
    assert message.content[0] == Text(text="Look: ")


def test_an_answer_shows_its_first_choice() -> None:
    call = ToolCall(id="1", name="weather", arguments='{"city": "Paris"}')
    choices = (Choice(message=Message.assistant("one", call), finish_reason="tool_calls"),)
    answer = ChatResponse(choices=choices, usage=Usage(input_tokens=3, output_tokens=2))
    assert (answer.text, answer.finish_reason, answer.tool_calls) == ("one", "tool_calls", (call,))
    assert answer.tool_calls[0].parse_arguments() == {"city": "Paris"}
