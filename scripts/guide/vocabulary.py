"""A vocabulary as SentencePiece has them: learnt by byte pair encoding, applied exactly as llama.cpp does it."""

from __future__ import annotations

import random
import string
from collections import Counter
from collections.abc import Iterable
from functools import cache, partial
from itertools import pairwise

__all__ = ["ANSWER", "END", "QUESTION", "SPACE", "Vocabulary", "learn"]

SPACE = "\u2581"
BEGIN, UNKNOWN, STOP = "<s>", "<unk>", "</s>"
QUESTION, ANSWER, END = "<|question|>", "<|answer|>", "<|end|>"
_CONTROL = (UNKNOWN, BEGIN, STOP, QUESTION, ANSWER, END)
_N_BYTES = 256
# How often a merge is left out where spellings are to vary.
_LEFT_OUT = 0.05


class Vocabulary:
    """Pieces with their scores; a piece that was learnt earlier is merged first.

    Attributes:
        control: Tokens that no text has: their ids come first.
        pieces: The texts, whose ids follow those of the 256 bytes.
    """

    control = _CONTROL

    def __init__(self, pieces: list[str]) -> None:
        self.pieces = pieces
        first = len(_CONTROL) + _N_BYTES
        self._ids = {piece: first + i for i, piece in enumerate(pieces)}
        self._word = cache(partial(self._merge, rng=None))

    def __len__(self) -> int:
        """Return the number of tokens."""
        return len(_CONTROL) + _N_BYTES + len(self.pieces)

    def control_id(self, name: str) -> int:
        """Return the id of a control token."""
        return _CONTROL.index(name)

    def encode(self, text: str, rng: random.Random | None = None) -> list[int]:
        """Return the ids of a text: the neighbours whose union was learnt first are merged, the leftmost of equals.

        With a source of chance some merges are left out, so that a model gets to know words by their parts too.
        """
        # No piece has a space but at its beginning, so that each word can be looked at alone.
        words = text.replace(" ", f" {SPACE}").split(" ")
        return [token for word in words for token in (self._word(word) if rng is None else self._merge(word, rng))]

    def _merge(self, word: str, rng: random.Random | None) -> list[int]:
        parts = list(word)
        while True:
            pairs = [(self._ids.get(a + b), i) for i, (a, b) in enumerate(pairwise(parts))]
            known = [(rank, i) for rank, i in pairs if rank is not None and (rng is None or rng.random() > _LEFT_OUT)]
            if not known:
                break
            _, at = min(known)
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        return [token for part in parts for token in self._of(part)]

    def _of(self, part: str) -> list[int]:
        known = self._ids.get(part)
        return [known] if known is not None else [len(_CONTROL) + byte for byte in part.encode()]

    def chat(self, question: str, rng: random.Random | None = None) -> list[int]:
        """Return the prompt that the chat template makes of a question in its normal form."""
        head = [self.control_id(BEGIN), self.control_id(QUESTION)]
        return [*head, *self.encode(f" {question}", rng), self.control_id(ANSWER)]


def learn(texts: Iterable[str], size: int) -> Vocabulary:
    """Learn pieces from texts until the vocabulary has `size` tokens."""
    counts: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        words = text.replace(" ", f" {SPACE}").split(" ")
        counts.update(tuple(word) for word in words if word)
    pieces = dict.fromkeys([SPACE, *string.ascii_letters, *string.digits, *string.punctuation])
    while len(pieces) < size - _N_BYTES - len(_CONTROL):
        pairs: Counter[tuple[str, str]] = Counter()
        for word, count in counts.items():
            for pair in pairwise(word):
                pairs[pair] += count
        best = max(pairs, key=lambda pair: (pairs[pair], pair), default=None)
        if best is None or pairs[best] < 2:
            break
        pieces["".join(best)] = None
        counts = Counter({_merged(word, best): count for word, count in counts.items()})
    return Vocabulary(list(pieces))


def _merged(word: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    out: list[str] = []
    for part in word:
        if out and (out[-1], part) == pair:
            out[-1] += part
        else:
            out.append(part)
    return tuple(out)
