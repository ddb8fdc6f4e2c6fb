"""Answers to several requests as the answer to the one call that made them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from ipfs_accel.types import CompletionResponse, Usage

__all__ = ["added", "joined"]


def added(usages: Iterable[Usage]) -> Usage:
    """Add up tokens; of each kind only if all of them tell."""
    found = list(usages)
    columns = {each.name: [getattr(usage, each.name) for usage in found] for each in attrs.fields(Usage)}
    return Usage(**{name: sum(counts) for name, counts in columns.items() if None not in counts})


def joined(answers: Sequence[CompletionResponse]) -> CompletionResponse:
    """Make one completion of those of several prompts: their choices one after the other."""
    choices = [choice for answer in answers for choice in answer.choices]
    return CompletionResponse(
        model=answers[0].model,
        choices=tuple([attrs.evolve(choice, index=index) for index, choice in enumerate(choices)]),
        usage=added(answer.usage for answer in answers),
        raw=[answer.raw for answer in answers],
    )
