"""Compare the exported file in llama.cpp with the transformer that was trained, and put held-out questions to it.

python scripts/guide/compare.py guide.gguf
"""

from __future__ import annotations

import argparse
import math
import random
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import corpus
import jax
import jax.numpy as jnp
import numpy as np
from export import read
from ipfs_accel import Client
from model import Weights, logits
from recipe import Recipe, Shape
from vocabulary import Vocabulary

# llama.cpp also rounds what it multiplies Q8_0 matrices with to eight bits.
MOST = 0.05


# One length for all prompts: each further one would be compiled.
LENGTH = 128


def chances(weights: Weights, ids: list[int]) -> np.ndarray[Any, Any]:
    """Return how likely each token is to come next."""
    padded = jnp.asarray([ids + [0] * (LENGTH - len(ids))])
    return np.asarray(_softmax(weights, padded, len(ids) - 1, Recipe().shape))


@partial(jax.jit, static_argnames="shape")
def _softmax(weights: Weights, tokens: jax.Array, at: Any, shape: Shape) -> jax.Array:
    return jax.nn.softmax(logits(weights, tokens, shape)[0, at])


def main() -> None:
    """Compare on a question of each topic, with slips, and on texts of all kinds; then measure."""
    parser = argparse.ArgumentParser(description="Compare the exported file in llama.cpp with what was trained.")
    parser.add_argument("path", type=Path)
    parser.add_argument("--held-out", type=int, default=500, help="how many held-out questions to put to it")
    parser.add_argument("-v", "--verbose", action="store_true", help="show those that were not answered right")
    args = parser.parse_args()
    path, topics, rng = args.path.resolve(), corpus.read(), random.Random(0)
    weights, vocabulary = read(path)
    questions = [corpus.vary(corpus.expand(rng.choice(topic.asked), rng), rng) for topic in topics]
    questions += ["Grüße, 世界 🙂", "how do\ni add\tgroq", "x" * 40]
    with Client() as client:
        worst = max(_difference(client, str(path), question, weights, vocabulary) for question in questions)
        print(f"{len(questions)} prompts: the same tokens; probabilities differ by at most {worst:.4f}")
        if worst > MOST:
            raise SystemExit("the file does not compute what was trained")
        counts = _measure(client, str(path), topics, args.held_out, verbose=args.verbose)
    print(*(f"{name}: {count / counts.total():.1%}" for name, count in counts.most_common()), sep=", ")


def _measure(client: Client, path: str, topics: list[corpus.Topic], most: int, *, verbose: bool) -> Counter[str]:
    """Count how held-out questions are answered, as many of each topic as of another."""
    by_answer = {topic.answer: topic.name for topic in topics}
    pairs = corpus.held_out(topics)
    each: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for topic, question in pairs:
        each[topic.name] += 1
        if each[topic.name] > most / len(topics) + 1:
            continue
        said = by_answer.get(client.chat(f"llvm/{path}", question).text)
        kind = (
            "right" if said == topic.name else "no answer of the corpus" if said is None else "another topic's answer"
        )
        counts[kind] += 1
        if verbose and kind != "right":
            print(f"{topic.name}: {question} -> {said}")
    return counts


def _difference(client: Client, path: str, question: str, weights: Weights, vocabulary: Vocabulary) -> float:
    messages = [{"role": "user", "content": question}]
    prompt = client.call("llvm", "apply_template", model=path, messages=messages)["prompt"]
    ids = vocabulary.chat(corpus.normal(question))
    theirs = client.tokenize(f"llvm/{path}", prompt, extra={"parse_special": True, "add_special": True}).tokens
    if list(theirs) != ids:
        raise SystemExit(f"{question!r}: llama.cpp reads {theirs}, training {ids}")
    said = client.call("llvm", "completion", model=path, prompt=prompt, n_predict=1, n_probs=5, temperature=1.0)
    ours = chances(weights, ids)
    tops = said["completion_probabilities"][0]["top_logprobs"]
    return max(abs(math.exp(top["logprob"]) - float(ours[top["id"]])) for top in tops)


if __name__ == "__main__":
    main()
