"""Train the guide from scratch and write it as GGUF.

    python scripts/guide/train.py guide.gguf

Needs the packages of the dependency group `guide`. It takes about half an hour of CPU time; the same recipe gives the
same weights on the same machine, with the same versions of the packages and as many threads.
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
from export import read, write
from model import Weights, initial, logits
from recipe import Recipe, Shape, Stage, fingerprint
from vocabulary import END, Vocabulary, learn

# Weights, and the running means of their slopes and of the squares of these.
State: TypeAlias = tuple[Weights, Weights, Weights]
Batch: TypeAlias = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


def vocabulary_of(topics: list[Topic], recipe: Recipe) -> Vocabulary:
    """Learn the vocabulary from some questions of each pattern, and the answers."""
    rng = random.Random(recipe.seed)
    asked = [
        " " + corpus.normal(corpus.expand(each, rng)) for topic in topics for each in topic.asked for _ in range(3)
    ]
    return learn(asked + [topic.answer for topic in topics] * 3, recipe.shape.vocabulary)


def row(prompt: list[int], answer: list[int], length: int) -> tuple[list[int], int]:
    """Return the tokens of a whole chat and where the answer begins; a question that is too long loses its end."""
    most = length - len(answer)
    prompt = prompt if len(prompt) <= most else [*prompt[: most - 1], prompt[-1]]
    return prompt + answer, len(prompt)


def batch_of(rows: list[tuple[list[int], int]], length: int) -> Batch:
    """Return tokens of (batch, length) and 1 where the next token is to be learnt: from the given place on."""
    tokens = np.zeros((len(rows), length), np.int32)
    counts = np.zeros((len(rows), length), np.float32)
    for i, (ids, begin) in enumerate(rows):
        tokens[i, : len(ids)] = ids
        counts[i, begin - 1 : len(ids) - 1] = 1
    return tokens, counts


def batches(topics: list[Topic], vocabulary: Vocabulary, recipe: Recipe, seed: int) -> Iterator[Batch]:
    """Draw questions for ever."""
    rng = random.Random(seed)
    answers = {topic.name: answer_of(topic, vocabulary) for topic in topics}
    alone = {name: own(answer, list(answers.values())) for name, answer in answers.items()}
    weights = [recipe.often.get(topic.name, 1.0) for topic in topics]

    def draw(topic: Topic) -> tuple[list[int], int]:
        is_strange = rng.random() < recipe.strangers
        asked = (rng.choice(topics) if is_strange else topic).asked
        question = corpus.vary(corpus.expand(rng.choice(asked), rng), rng)
        ids, begin = row(vocabulary.chat(question, rng), answers[topic.name], recipe.length)
        # Behind a question that is not its own, an answer that has begun is still to be said to its end.
        return ids, begin + (alone[topic.name] if is_strange else 0)

    number = 0
    while True:
        tokens, counts = batch_of(
            [draw(topic) for topic in rng.choices(topics, weights, k=recipe.batch)], recipe.length
        )
        number += 1
        yield (tokens, counts) if number % 8 == 0 else (tokens[:, : recipe.short], counts[:, : recipe.short])


def own(answer: list[int], answers: list[list[int]]) -> int:
    """Return how many of its first tokens tell an answer from all others."""
    return next(n for n in range(len(answer) + 1) if sum(other[:n] == answer[:n] for other in answers) == 1)


def answer_of(topic: Topic, vocabulary: Vocabulary) -> list[int]:
    """Return the tokens that are to be said, the end included."""
    return [*vocabulary.encode(topic.answer), vocabulary.control_id(END)]


def loss(weights: Weights, tokens: jax.Array, counts: jax.Array, shape: Shape) -> jax.Array:
    """Return the mean cross entropy of the answers' tokens."""
    chances = jax.nn.log_softmax(logits(weights, tokens, shape)[:, :-1])
    said = jnp.take_along_axis(chances, tokens[:, 1:, None], axis=-1)[..., 0]
    return -(said * counts[:, :-1]).sum() / counts.sum()


@partial(jax.jit, static_argnames="shape", donate_argnums=0)
def step(state: State, batch: Any, rates: Any, number: Any, shape: Shape) -> tuple[State, jax.Array]:
    """Take one step of AdamW at the rates of learning and of decay, gradients clipped to a norm of one."""
    weights, mean, square = state
    value, slopes = jax.value_and_grad(loss)(weights, *batch, shape)
    norm = jnp.sqrt(sum((slope**2).sum() for slope in slopes.values()))
    slopes = {name: slope / jnp.maximum(norm, 1.0) for name, slope in slopes.items()}
    mean = {name: 0.9 * mean[name] + 0.1 * slope for name, slope in slopes.items()}
    square = {name: 0.98 * square[name] + 0.02 * slope**2 for name, slope in slopes.items()}
    for name, weight in weights.items():
        direction = mean[name] / (1 - 0.9**number) / (jnp.sqrt(square[name] / (1 - 0.98**number)) + 1e-8)
        weights[name] = weight - rates[0] * direction - (rates[1] * weight if weight.ndim == 2 else 0.0)
    return (weights, mean, square), value


def rates_at(number: int, stage: Stage, decay: float) -> tuple[float, float]:
    """Return the rates of learning and of decay: up in a twentieth of the steps, then down along a cosine."""
    up = max(1, stage.steps // 20)
    share = 0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * (number - up) / (stage.steps - up)))
    rate = stage.peak * (number / up if number <= up else share)
    return rate, rate * decay


@partial(jax.jit, static_argnames="shape")
def right(weights: Weights, tokens: Any, counts: Any, shape: Shape) -> jax.Array:
    """Tell for each row whether greedy decoding gives exactly its answer."""
    best = logits(weights, tokens, shape)[:, :-1].argmax(-1)
    return jnp.all((best == tokens[:, 1:]) | (counts[:, :-1] == 0), axis=1)


def measure(
    weights: Weights, asked: list[tuple[Topic, str]], vocabulary: Vocabulary, recipe: Recipe
) -> tuple[float, list[str]]:
    """Return the share of the questions with the right answer, and those that miss it."""
    missed: list[str] = []
    for at in range(0, len(asked), 256):
        part = asked[at : at + 256]
        rows = [row(vocabulary.chat(question), answer_of(topic, vocabulary), recipe.length) for topic, question in part]
        hits = np.asarray(right(weights, *batch_of(rows, recipe.length), recipe.shape))
        missed += [f"{topic.name}: {text}" for (topic, text), hit in zip(part, hits, strict=True) if not hit]
    return 1 - len(missed) / len(asked), missed


def train(weights: Weights, vocabulary: Vocabulary, recipe: Recipe, part: int) -> Weights:
    """Go through a stage of training, and tell how it goes."""
    topics, stage = corpus.read(), recipe.stages[part]
    measured = corpus.held_out(topics)
    mean, square = ({name: jnp.zeros_like(weight) for name, weight in weights.items()} for _ in range(2))
    state: State = (weights, mean, square)
    began = time.monotonic()
    drawn = batches(topics, vocabulary, recipe, recipe.seed + part)
    for number, batch in zip(range(1, stage.steps + 1), drawn, strict=False):
        state, value = step(state, batch, rates_at(number, stage, recipe.decay), number, recipe.shape)
        if number % 200 == 0:
            share, _ = measure(state[0], measured[:256], vocabulary, recipe)
            took = time.monotonic() - began
            print(f"{number:5} steps, {took:5.0f} s, loss {value:.4f}, held out {share:.1%}", flush=True)
    share, missed = measure(state[0], measured, vocabulary, recipe)
    print(*missed, sep="\n")
    print(f"{share:.1%} of all held-out questions are answered exactly right", flush=True)
    return state[0]


def main() -> None:
    """Train as the command line says."""
    parser = argparse.ArgumentParser(description="Train the guide from scratch and write it as GGUF.")
    parser.add_argument("path", type=Path)
    parser.add_argument("--go-on", action="store_true", help="begin with the second stage, from the file as it is")
    args = parser.parse_args()
    recipe = Recipe()
    made_from = fingerprint(recipe)
    for part in range(1 if args.go_on else 0, len(recipe.stages)):
        if part == 0:
            vocabulary = vocabulary_of(corpus.read(), recipe)
            weights = initial(recipe.shape, recipe.seed)
        else:
            found, vocabulary = read(args.path)
            weights = {name: jnp.asarray(weight) for name, weight in found.items()}
        weights = train(weights, vocabulary, recipe, part)
        trained = {name: np.asarray(weight) for name, weight in weights.items()}
        write(args.path, trained, vocabulary, recipe.shape, made_from)


if __name__ == "__main__":
    main()
