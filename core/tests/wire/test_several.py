from __future__ import annotations

from ipfs_accel.types import CompletionChoice, CompletionResponse, Usage
from ipfs_accel.wire.several import added, joined


def test_tokens_are_added_where_all_tell() -> None:
    usages = [
        Usage(input_tokens=1, output_tokens=2),
        Usage(input_tokens=3, output_tokens=None, cached_input_tokens=4),
        Usage(input_tokens=5, output_tokens=6, cached_input_tokens=0),
    ]
    assert added(usages) == Usage(input_tokens=9)
    assert added(usages[1:]) == Usage(input_tokens=8, cached_input_tokens=4)


def test_choices_follow_each_other() -> None:
    def answer(model: str, *texts: str) -> CompletionResponse:
        choices = tuple([CompletionChoice(index=index, text=text) for index, text in enumerate(texts)])
        return CompletionResponse(model=model, choices=choices, usage=Usage(input_tokens=1), raw={"of": model})

    found = joined([answer("m", "a", "b"), answer("n", "c")])
    assert [(choice.index, choice.text) for choice in found.choices] == [(0, "a"), (1, "b"), (2, "c")]
    assert (found.model, found.usage, found.raw) == ("m", Usage(input_tokens=2), [{"of": "m"}, {"of": "n"}])
