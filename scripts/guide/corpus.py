"""The text that the guide is trained on: questions and answers in `corpus/*.md`, and ways to vary a question.

`phrasings.md` explains the notation.
"""

from __future__ import annotations

import random
import re
from pathlib import Path

import attrs

__all__ = ["Topic", "expand", "expansions", "normal", "read", "vary"]

FOLDER = Path(__file__).parent / "corpus"
_CHOICE = re.compile(r"\[([^\]]*)\]")
_MOST_EXPANSIONS = 4000
# What a question can do without, and what may stand around it.
_SMALL = {"a", "an", "the", "do", "i", "can", "is", "are", "my", "to", "of", "we", "you", "it", "please", "does"}
_BEFORE = ("please", "hi,", "hello,", "hey,", "so", "ok", "can you tell me", "tell me", "please tell me", "i wonder")
_AFTER = ("please", "thanks", "in ipfs-accel", "with ipfs-accel", "for ipfs-accel", "now", "here", "exactly", ".")


@attrs.frozen(kw_only=True)
class Topic:
    """One answer and the ways to ask for it.

    Attributes:
        name: Unique.
        asked: Patterns to train on, in groups of about equal weight.
        held_out: Patterns that only measure.
        answer: What is to be said.
    """

    name: str
    asked: tuple[str, ...]
    held_out: tuple[str, ...]
    answer: str


def read() -> list[Topic]:
    """Return the topics of all files."""
    phrasings = _sections((FOLDER / "phrasings.md").read_text())
    topics = [
        _topic(name, lines, phrasings)
        for path in sorted(FOLDER.glob("*.md"))
        if path.name != "phrasings.md"
        for name, lines in _sections(path.read_text()).items()
    ]
    if len({topic.name for topic in topics}) < len(topics):
        raise ValueError("two topics have one name")
    return topics


def _sections(text: str) -> dict[str, list[str]]:
    parts = re.split(r"(?m)^## (.+)$", text)[1:]
    return {
        name.strip(): [line for line in body.splitlines() if line.strip()]
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


def _topic(name: str, lines: list[str], phrasings: dict[str, list[str]]) -> Topic:
    asked: list[str] = []
    held_out: list[str] = []
    answers = [line[2:] for line in lines if line.startswith("> ")]
    for line in lines:
        if line.startswith("- @"):
            kind, _, names = line[3:].partition(" ")
            for each in phrasings[kind]:
                (held_out if each.startswith("* ") else asked).append(each[2:].replace("NAME", f"[{names}]"))
        elif line.startswith(("- ", "* ")):
            (held_out if line.startswith("* ") else asked).append(line[2:])
    if len(answers) != 1 or not asked:
        raise ValueError(f"the topic {name} needs questions and one answer")
    return Topic(name=name, asked=tuple(asked), held_out=tuple(held_out), answer=answers[0])


def expand(pattern: str, rng: random.Random) -> str:
    """Return one of the texts that a pattern stands for."""
    return " ".join(_CHOICE.sub(lambda match: rng.choice(match[1].split("|")), pattern).split())


def expansions(pattern: str) -> list[str]:
    """Return all the texts that a pattern stands for, or the first few thousand."""
    texts = [""]
    for i, part in enumerate(_CHOICE.split(pattern)):
        choices = part.split("|") if i % 2 else [part]
        texts = [text + choice for text in texts for choice in choices][:_MOST_EXPANSIONS]
    return sorted({" ".join(text.split()) for text in texts})


def normal(question: str) -> str:
    """Return what the chat template makes of a question."""
    return question.lower().replace("?", "").replace("!", "").strip()


def vary(question: str, rng: random.Random) -> str:
    """Return the question as somebody in a hurry may type it."""
    words = [word for word in question.split() if word not in _SMALL or rng.random() > 0.06]
    words = [_slip(word, rng) if len(word) > 3 and rng.random() < 0.025 else word for word in words]
    if rng.random() < 0.1:
        words.insert(0, rng.choice(_BEFORE))
    if rng.random() < 0.12:
        words.append(rng.choice(_AFTER))
    return normal(" ".join(words).replace(" .", ".")) or question


def _slip(word: str, rng: random.Random) -> str:
    at = rng.randrange(len(word) - 1)
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return rng.choice([swapped, word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:]])
