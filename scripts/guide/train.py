"""Train the guide from scratch and write it as GGUF.

    python scripts/guide/train.py guide.gguf

Needs the packages of the dependency group `guide`. On two cores it takes about a quarter of an hour; the same seed
gives the same weights on the same machine and versions of the packages.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import corpus
import jax
import jax.numpy as jnp
import numpy as np
from corpus import Topic
from export import write
from model import Shape, Weights, initial, logits
from vocabulary import END, Vocabulary, learn

VOCABULARY = 1536
LENGTH = 80
BATCH = 32
# Two of three batches end here: an answer is chosen by its first words, and the rest is learnt by the way.
SHORT = 32
PEAK = 3e-3
DECAY = 0.05
# What is not about ipfs-accel has more faces than any topic.
OFTEN = {"off-topic": 10.0, "who-are-you": 2.0, "which-backends": 1.5, "unknown-backend": 1.5, "greeting": 1.5}

# Weights, and the running means of their slopes and of the squares of these.
State: TypeAlias = tuple[Weights, Weights, Weights]
Batch: TypeAlias = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


def vocabulary_of(topics: list[Topic], seed: int) -> Vocabulary:
    """Learn the vocabulary from some questions of each pattern, and the answers."""
    rng = random.Random(seed)
    asked = [
        " " + corpus.normal(corpus.expand(each, rng)) for topic in topics for each in topic.asked for _ in range(3)
    ]
    return learn(asked + [topic.answer for topic in topics] * 3, VOCABULARY)


def row(vocabulary: Vocabulary, question: str, answer: list[int]) -> tuple[list[int], int]:
    """Return the tokens of a whole chat and where the answer begins; a question that is too long loses its end."""
    prompt = vocabulary.chat(question)
    most = LENGTH - len(answer)
    prompt = prompt if len(prompt) <= most else [*prompt[: most - 1], prompt[-1]]
    return prompt + answer, len(prompt)


def batch_of(rows: list[tuple[list[int], int]]) -> Batch:
    """Return tokens of (batch, LENGTH) and 1 where the next token belongs to the answer."""
    tokens = np.zeros((len(rows), LENGTH), np.int32)
    counts = np.zeros((len(rows), LENGTH), np.float32)
    for i, (ids, begin) in enumerate(rows):
        tokens[i, : len(ids)] = ids
        counts[i, begin - 1 : len(ids) - 1] = 1
    return tokens, counts


def batches(topics: list[Topic], vocabulary: Vocabulary, seed: int) -> Iterator[Batch]:
    """Draw questions for ever."""
    rng = random.Random(seed)
    answers = {topic.name: answer_of(topic, vocabulary) for topic in topics}
    weights = [OFTEN.get(topic.name, 1.0) for topic in topics]
    number = 0
    while True:
        drawn = rng.choices(topics, weights, k=BATCH)
        asked = [corpus.vary(corpus.expand(rng.choice(topic.asked), rng), rng) for topic in drawn]
        rows = [row(vocabulary, question, answers[topic.name]) for question, topic in zip(asked, drawn, strict=True)]
        tokens, counts = batch_of(rows)
        number += 1
        yield (tokens, counts) if number % 3 == 0 else (tokens[:, :SHORT], counts[:, :SHORT])


def answer_of(topic: Topic, vocabulary: Vocabulary) -> list[int]:
    """Return the tokens that are to be said, the end included."""
    return [*vocabulary.encode(topic.answer), vocabulary.control_id(END)]


def loss(weights: Weights, tokens: jax.Array, counts: jax.Array, shape: Shape) -> jax.Array:
    """Return the mean cross entropy of the answers' tokens."""
    chances = jax.nn.log_softmax(logits(weights, tokens, shape)[:, :-1])
    said = jnp.take_along_axis(chances, tokens[:, 1:, None], axis=-1)[..., 0]
    return -(said * counts[:, :-1]).sum() / counts.sum()


@partial(jax.jit, static_argnames="shape", donate_argnums=0)
def step(state: State, batch: Any, rate: Any, number: Any, shape: Shape) -> tuple[State, jax.Array]:
    """Take one step of AdamW, gradients clipped to a norm of one."""
    weights, mean, square = state
    value, slopes = jax.value_and_grad(loss)(weights, *batch, shape)
    norm = jnp.sqrt(sum((slope**2).sum() for slope in slopes.values()))
    slopes = {name: slope / jnp.maximum(norm, 1.0) for name, slope in slopes.items()}
    mean = {name: 0.9 * mean[name] + 0.1 * slope for name, slope in slopes.items()}
    square = {name: 0.98 * square[name] + 0.02 * slope**2 for name, slope in slopes.items()}
    for name, weight in weights.items():
        direction = mean[name] / (1 - 0.9**number) / (jnp.sqrt(square[name] / (1 - 0.98**number)) + 1e-8)
        decay = DECAY if weight.ndim == 2 else 0.0
        weights[name] = weight - rate * (direction + decay * weight)
    return (weights, mean, square), value


def rate_at(number: int, steps: int) -> float:
    """Return the learning rate: up in a twentieth of the steps, then down along a cosine."""
    up = max(1, steps // 20)
    if number <= up:
        return PEAK * number / up
    return PEAK * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * (number - up) / (steps - up))))


@partial(jax.jit, static_argnames="shape")
def right(weights: Weights, tokens: Any, counts: Any, shape: Shape) -> jax.Array:
    """Tell for each row whether greedy decoding gives exactly its answer."""
    best = logits(weights, tokens, shape)[:, :-1].argmax(-1)
    return jnp.all((best == tokens[:, 1:]) | (counts[:, :-1] == 0), axis=1)


def measure(
    weights: Weights, topics: list[Topic], vocabulary: Vocabulary, shape: Shape, most: int | None = None
) -> tuple[float, list[str]]:
    """Return the share of held-out questions, or of `most` of them, with the right answer, and those that miss it."""
    pairs = [
        (topic, corpus.normal(text))
        for topic in topics
        for pattern in topic.held_out
        for text in corpus.expansions(pattern)
    ]
    random.Random(0).shuffle(pairs)
    pairs = pairs[:most]
    missed: list[str] = []
    for at in range(0, len(pairs), 256):
        part = pairs[at : at + 256]
        rows = [row(vocabulary, question, answer_of(topic, vocabulary)) for topic, question in part]
        hits = np.asarray(right(weights, *batch_of(rows), shape))
        missed += [f"{topic.name}: {text}" for (topic, text), hit in zip(part, hits, strict=True) if not hit]
    return 1 - len(missed) / len(pairs), missed


def main() -> None:
    """Train as the command line says."""
    parser = argparse.ArgumentParser(description="Train the guide from scratch and write it as GGUF.")
    parser.add_argument("path", type=Path)
    parser.add_argument("--steps", type=int, default=1300)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    topics = corpus.read()
    vocabulary = vocabulary_of(topics, args.seed)
    shape = Shape(vocabulary=len(vocabulary))
    weights = initial(shape, args.seed)
    mean, square = ({name: jnp.zeros_like(weight) for name, weight in weights.items()} for _ in range(2))
    state: State = (weights, mean, square)
    print(f"{len(topics)} topics, {len(vocabulary)} tokens, {sum(w.size for w in weights.values()):,} weights")
    began = time.monotonic()
    for number, batch in zip(range(1, args.steps + 1), batches(topics, vocabulary, args.seed), strict=False):
        state, value = step(state, batch, rate_at(number, args.steps), number, shape)
        if number % 150 == 0:
            share, _ = measure(state[0], topics, vocabulary, shape, 256)
            took = time.monotonic() - began
            print(f"{number:5} steps, {took:5.0f} s, loss {value:.4f}, held out {share:.1%}", flush=True)
    share, missed = measure(state[0], topics, vocabulary, shape)
    write(args.path, {name: np.asarray(weight) for name, weight in state[0].items()}, vocabulary, shape)
    print(*missed, sep="\n")
    print(f"{share:.1%} of all held-out questions are answered exactly right")


if __name__ == "__main__":
    main()
