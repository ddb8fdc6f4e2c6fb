"""Between which numbers the tokens of a text lie, whatever public tokenizer counts them.

No tokenizer is needed for it. What a text is made of is counted (letters, digits, signs of each script), and each of
these takes at least and at most so many tokens: a table that `scripts/token_ranges.py` measured with real tokenizers,
over texts of several hundred languages, code and data. One that is none of those may give a number outside of it.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from ipfs_accel import strict_json

__all__ = ["METHOD", "REPEATED", "Range", "features", "text_range"]

METHOD = "estimate"

_SCRIPTS: dict[str, str] = {
    "latin": "\u00c0-\u024f\u0300-\u036f\u1e00-\u1eff",
    "alphabets": "\u0370-\u058f\u10a0-\u10ff\u1f00-\u1fff",
    "semitic": "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff",
    "brahmic": "\u0900-\u109f\u1780-\u17ff",
    "han": "\u3400-\u4dbf\u4e00-\u9fff",
    "kana": "\u3000-\u30ff\uff00-\uffef",
    "hangul": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af",
}
_RUNS = {name: re.compile(f"[{letters}]+") for name, letters in _SCRIPTS.items()}
_OTHER = re.compile(f"[^\\x00-\\x7f{''.join(_SCRIPTS.values())}]+")
_WORD = re.compile(r"[A-Za-z]+")
_PLAIN = re.compile(r"(?<![^\s\"'(])[A-Za-z]?[a-z]{1,13}(?![^\s.,;:!?\"')])")
_ENGLISH = re.compile(
    r"\b(?:the|of|and|to|is|that|for|it|with|be|this|by|are|from|not|you|have|what|which|why|how|can|does|your|will"
    r"|were|when|who|she|they|their|would|could|should|there|about|than|into|our|out)\b",
    re.IGNORECASE,
)
_LEAST_ENGLISH = 0.25
"""The share of such words in a line whose plain words count as English, which takes fewer tokens than all else."""
_UPPER = re.compile(r"(?<=[A-Za-z])[A-Z]")
_DIGIT = re.compile(r"[0-9]")
_SIGN = re.compile(r"[^\sA-Za-z0-9\x80-\U0010ffff]")
_SPACE = re.compile(r"(?<! ) (?! )")
_GAP = re.compile(r" {2,}")
_BREAK = re.compile(r"[\t\n\r\f\v]")
REPEATED = re.compile(r"(.)\1{3,}", re.DOTALL)


class Range(NamedTuple):
    """At least so many tokens, and at most so many."""

    low: float
    high: float


def features(text: str) -> dict[str, int]:
    """Count what a text is made of: words and letters, digits, signs, spaces, and the letters of each script.

    What is English counts apart from other words of plain Latin letters, and frequent Chinese signs from rare ones.
    What belongs to none of the scripts counts by its bytes in UTF-8.
    """
    words = _WORD.findall(text)
    plain = [word for line in text.splitlines() for word in _english_of(line)]
    english = sum(map(len, plain))
    found = {
        "english words": len(plain),
        "english letters": english,
        "words": len(words) - len(plain),
        "letters": sum(map(len, words)) - english,
        "capitals": len(_UPPER.findall(text)),
        "digits": len(_DIGIT.findall(text)),
        "signs": len(_SIGN.findall(text)),
        "spaces": len(_SPACE.findall(text)),
        "gaps": len(_GAP.findall(text)),
        "breaks": len(_BREAK.findall(text)),
    }
    if not text.isascii():
        found |= {name: sum(map(len, runs.findall(text))) for name, runs in _RUNS.items()}
        found["rare han"] = sum([not _is_common(sign) for run in _RUNS["han"].findall(text) for sign in run])
        found["han"] -= found["rare han"]
        found["other"] = sum([len(run.encode("utf-8", "replace")) for run in _OTHER.findall(text)])
    return found


def _english_of(line: str) -> list[str]:
    """Return the plain words of a line if it is English as far as its small words tell."""
    small = len(_ENGLISH.findall(line))
    if not small:
        return []
    words = _PLAIN.findall(line)
    return words if small >= _LEAST_ENGLISH * len(_WORD.findall(line)) else []


@cache
def _is_common(sign: str) -> bool:
    """Whether a Chinese sign is of the first level of GB 2312 or Big5, which have the frequent ones."""
    simplified, traditional = sign.encode("gb2312", "ignore"), sign.encode("big5", "ignore")
    return b"\xb0" <= simplified[:1] <= b"\xd7" or b"\xa4" <= traditional[:1] <= b"\xc6"


def text_range(text: str) -> Range:
    """Return between which numbers the tokens of a text lie, without what a chat puts around it."""
    if not text:
        return Range(0.0, 0.0)
    least, most = _table()
    # A sign that is repeated many times may be a single token.
    few, all_of_it = features(REPEATED.sub(r"\1", text)), features(text)
    low = sum([least[name] * count for name, count in few.items()])
    high = sum([most[name] * count for name, count in all_of_it.items()])
    high = max(1.0, high, all_of_it["english words"] + all_of_it["words"])  # each may be a token of its own
    return Range(min(max(1.0, low), high), high)


@cache
def _table() -> tuple[dict[str, float], dict[str, float]]:
    from importlib.resources import files  # noqa: PLC0415 - few programs count

    kinds = strict_json.loads((files("ipfs_accel.wire") / "token_ranges.json").read_bytes())["tokens"]
    return {name: low for name, (low, _) in kinds.items()}, {name: high for name, (_, high) in kinds.items()}
