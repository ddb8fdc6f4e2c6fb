from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipfs_accel.errors import StreamIncomplete
from ipfs_accel.types import (
    BlockEnd,
    BlockStart,
    FinishEvent,
    Reasoning,
    ReasoningDelta,
    Refusal,
    StreamEvent,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
    UsageEvent,
)
from ipfs_accel.wire.assembler import chat_assembler, completion_assembler


def test_a_text_is_one_block_then_usage_then_finish() -> None:
    out = chat_assembler()
    out.start("id1", "m")
    out.text("Hel")
    out.text("")
    out.text("lo")
    out.finish("stop")
    out.usage = Usage(input_tokens=1, output_tokens=2)
    out.done()
    answer = out.conclude()
    assert out.take() == [
        BlockStart(type="text"),
        TextDelta("Hel"),
        TextDelta("lo"),
        BlockEnd(part=Text(text="Hello")),
        UsageEvent(usage=Usage(input_tokens=1, output_tokens=2)),
        FinishEvent(finish_reason="stop", finish_reasons=("stop",)),
    ]
    assert (answer.id, answer.model, answer.text, answer.finish_reason) == ("id1", "m", "Hello", "stop")


def test_reasoning_ends_where_text_begins_and_tool_calls_stay_open_until_the_finish() -> None:
    out = chat_assembler()
    out.reasoning("hm", signature="sig")
    out.text("calling")
    out.tool_call(0, id="a", name="f", arguments='{"x"')
    out.tool_call(1, id="b", name="g")
    out.tool_call(0, id="ignored", name="ignored", arguments=":1}")
    out.finish("stop")
    answer = out.conclude()
    assert out.take() == [
        BlockStart(type="reasoning"),
        ReasoningDelta("hm"),
        BlockEnd(part=Reasoning(text="hm", signature="sig")),
        BlockStart(block=1, type="text"),
        TextDelta("calling", block=1),
        BlockEnd(block=1, part=Text(text="calling")),
        BlockStart(block=2, type="tool_call", id="a", name="f"),
        ToolCallDelta('{"x"', block=2),
        BlockStart(block=3, type="tool_call", id="b", name="g"),
        ToolCallDelta(":1}", block=2),
        BlockEnd(block=2, part=ToolCall(id="a", name="f", arguments='{"x":1}')),
        BlockEnd(block=3, part=ToolCall(id="b", name="g")),
        UsageEvent(usage=Usage()),
        FinishEvent(finish_reason="tool_calls", finish_reasons=("tool_calls",)),
    ]
    assert [call.id for call in answer.tool_calls] == ["a", "b"]


def test_choices_are_kept_apart_and_in_order() -> None:
    out = chat_assembler()
    out.text("B", choice=1)
    out.text("A", choice=0)
    out.refusal("no", choice=1)
    out.finish("length", 1)
    out.finish("stop", 0)
    answer = out.conclude()
    assert [choice.message.text for choice in answer.choices] == ["A", "B"]
    assert answer.choices[1].message.content == (Text(text="B"), Refusal(text="no"))
    assert out.take()[-1] == FinishEvent(finish_reason="stop", finish_reasons=("stop", "length"))


def test_merged_blocks_give_the_one_text_of_a_whole_answer() -> None:
    out = chat_assembler(merge=True)
    out.text("a")
    out.reasoning("x")
    out.text("b")
    out.reasoning("y")
    out.finish("stop")
    assert out.conclude().message.content == (Reasoning(text="xy"), Text(text="ab"))


def test_without_its_terminal_signal_a_stream_is_incomplete_and_keeps_what_came() -> None:
    out = chat_assembler()
    out.text("half")
    with pytest.raises(StreamIncomplete) as caught:
        out.conclude()
    assert caught.value.partial is not None
    assert caught.value.partial.text == "half"
    with pytest.raises(StreamIncomplete) as nothing:
        chat_assembler().conclude()
    assert nothing.value.partial is None


def test_the_end_after_a_finish_reason_counts_only_where_the_provider_says_so() -> None:
    lenient, strict = chat_assembler(), chat_assembler(eof_after_finish=False)
    for out in (lenient, strict):
        out.text("a")
        out.finish("stop")
    assert lenient.conclude().text == "a"
    with pytest.raises(StreamIncomplete):
        strict.conclude()


def test_every_choice_needs_its_finish() -> None:
    out = chat_assembler()
    out.text("a", 0)
    out.text("b", 1)
    out.finish("stop", 0)
    with pytest.raises(StreamIncomplete):
        out.conclude()


def test_completions_assemble_too() -> None:
    out = completion_assembler()
    out.text("b", 1)
    out.text("a", 0)
    out.finish("stop", 0)
    out.finish("length", 1)
    answer = out.conclude()
    assert [(choice.text, choice.finish_reason) for choice in answer.choices] == [("a", "stop"), ("b", "length")]


STEPS = st.lists(
    st.tuples(st.sampled_from(["text", "reasoning", "refusal", "tool"]), st.integers(0, 2), st.text(max_size=3)),
    max_size=30,
)


@given(steps=STEPS, merge=st.booleans())
def test_the_contract_holds_for_every_sequence(*, steps: list[tuple[str, int, str]], merge: bool) -> None:
    out = chat_assembler(merge=merge)
    for kind, choice, piece in steps:
        if kind == "tool":
            out.tool_call(len(piece), choice, name="f", arguments=piece)
        else:
            getattr(out, kind)(piece, choice)
    out.done()
    answer = out.conclude()
    events = out.take()
    assert [type(event) for event in events[-2:]] == [UsageEvent, FinishEvent]
    blocks: dict[tuple[int, int], list[StreamEvent]] = {}
    for event in events[:-2]:
        assert not isinstance(event, UsageEvent | FinishEvent)
        blocks.setdefault((event.choice, event.block), []).append(event)
    for first, *deltas, last in blocks.values():
        assert isinstance(first, BlockStart)
        assert isinstance(last, BlockEnd)
        pieces = "".join(delta.arguments if isinstance(delta, ToolCallDelta) else delta.text for delta in deltas)  # type: ignore[union-attr]
        assert pieces == (last.part.arguments if isinstance(last.part, ToolCall) else last.part.text)  # type: ignore[union-attr]
    for choice in answer.choices:
        whole = "".join(piece for kind, index, piece in steps if kind == "text" and index == choice.index)
        assert choice.message.text == whole
