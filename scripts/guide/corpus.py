"""The text that the guide is trained on: questions and answers in `corpus/*.md`, and ways to vary a question.

`corpus/phrasings.md` explains the notation.
"""

from __future__ import annotations

import random
import re
from functools import cache
from pathlib import Path

import attrs

__all__ = ["Topic", "expand", "expansions", "held_out", "normal", "read", "same", "vary"]

FOLDER = Path(__file__).parent / "corpus"
_NO_TOPICS = {"phrasings.md", "words.md"}
_CHOICE = re.compile(r"\[([^\]]*)\]")
_MOST_EXPANSIONS = 4000
# What a question can do without, and what may stand around it.
_SMALL = {"a", "an", "the", "do", "i", "can", "is", "are", "my", "to", "of", "we", "you", "it", "please", "does"}
_BEFORE = ("please", "hi,", "hello,", "hey,", "so", "ok", "can you tell me", "tell me", "please tell me", "i wonder")
_AFTER = ("please", "thanks", "in ipfs-accel", "with ipfs-accel", "for ipfs-accel", "now", "here", "exactly", ".")
_ONSETS = ("b", "bl", "d", "dr", "f", "fl", "g", "gr", "h", "j", "k", "kr", "l", "m", "n", "p", "pl", "qu", "r", "s")
_ENDS = ("", "", "n", "p", "rk", "x", "ble", "ng", "t", "zz", "er", "ify", "sh", "ly")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


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
    phrasings = _sections("phrasings.md")
    words = {f"@{name}": "|".join(lines) for name, lines in _sections("words.md").items()}
    topics = [
        _topic(name, lines, phrasings, words)
        for path in sorted(FOLDER.glob("*.md"))
        if path.name not in _NO_TOPICS
        for name, lines in _sections(path.name).items()
    ]
    if len({topic.name for topic in topics}) < len(topics):
        raise ValueError("two topics have one name")
    return topics


@cache
def same() -> dict[str, tuple[str, ...]]:
    """Return texts, and what may be put for each because it means about the same."""
    groups = [tuple(line.split("|")) for line in _sections("words.md")["same"]]
    return {text: group for group in groups for text in group}


def _sections(name: str) -> dict[str, list[str]]:
    parts = re.split(r"(?m)^## (.+)$", (FOLDER / name).read_text(encoding="utf-8"))[1:]
    return {
        heading.strip(): [line for line in body.splitlines() if line.strip()]
        for heading, body in zip(parts[::2], parts[1::2], strict=True)
    }


def _topic(name: str, lines: list[str], phrasings: dict[str, list[str]], words: dict[str, str]) -> Topic:
    asked: list[str] = []
    held_out: list[str] = []
    answers = [line[2:] for line in lines if line.startswith("> ")]
    for line in lines:
        if line.startswith("- @"):
            kind, _, names = line[3:].partition(" ")
            for each in phrasings[kind]:
                (held_out if each.startswith("* ") else asked).append(
                    each[2:].replace("NAME", f"[{names.strip('[]')}]")
                )
        elif line.startswith(("- ", "* ")):
            (held_out if line.startswith("* ") else asked).append(line[2:])
    if len(answers) != 1 or not asked:
        raise ValueError(f"the topic {name} needs questions and one answer")

    def with_words(pattern: str) -> str:
        return re.sub(r"@\w+", lambda match: words[match[0]], pattern)

    return Topic(
        name=name, asked=tuple(map(with_words, asked)), held_out=tuple(map(with_words, held_out)), answer=answers[0]
    )


def expand(pattern: str, rng: random.Random) -> str:
    """Return one of the texts that a pattern stands for."""
    chosen = _CHOICE.sub(lambda match: rng.choice(match[1].split("|")), pattern)
    return " ".join(_invented(rng) if word == "WORD" else word for word in chosen.split())


def expansions(pattern: str) -> list[str]:
    """Return all the texts that a pattern stands for, or the first few thousand; words are not made up."""
    texts = [""]
    for i, part in enumerate(_CHOICE.split(pattern)):
        choices = part.split("|") if i % 2 else [part]
        texts = [text + choice for text in texts for choice in choices][:_MOST_EXPANSIONS]
    return sorted({" ".join(text.split()) for text in texts if "WORD" not in text})


def held_out(topics: list[Topic]) -> list[tuple[Topic, str]]:
    """Return the questions that only measure, each with its topic, in an order that mixes topics."""
    pairs = [(topic, normal(text)) for topic in topics for pattern in topic.held_out for text in expansions(pattern)]
    random.Random(0).shuffle(pairs)
    return pairs


def normal(question: str) -> str:
    """Return what the chat template makes of a question."""
    return question.lower().replace("?", "").replace("!", "").strip()


def vary(question: str, rng: random.Random) -> str:
    """Return the question as somebody else, or somebody in a hurry, may type it."""
    question = _in_other_words().sub(lambda match: _other(match[0], rng), question)
    words = [word for word in question.split() if rng.random() > (0.06 if word in _SMALL else 0.01)]
    words = [_slip(word, rng) if len(word) > 3 and rng.random() < 0.03 else word for word in words]
    if rng.random() < 0.1:
        words.insert(0, rng.choice(_BEFORE))
    if rng.random() < 0.12:
        words.append(rng.choice(_AFTER))
    return normal(" ".join(words).replace(" .", ".")) or question


@cache
def _in_other_words() -> re.Pattern[str]:
    longest_first = sorted(same(), key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])")


def _other(text: str, rng: random.Random) -> str:
    return rng.choice(same()[text]) if rng.random() < 0.15 else text


def _slip(word: str, rng: random.Random) -> str:
    at = rng.randrange(len(word) - 1)
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    missed = word[:at] + rng.choice(_LETTERS) + word[at + 1 :]
    return rng.choice([swapped, missed, word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:]])


def _invented(rng: random.Random) -> str:
    syllables = [rng.choice(_ONSETS) + rng.choice("aeiou") for _ in range(rng.randint(1, 3))]
    return "".join(syllables) + rng.choice(_ENDS)
