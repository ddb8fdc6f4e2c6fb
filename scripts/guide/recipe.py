"""What is trained how: the settings, and a fingerprint of them and of the corpus that the file carries."""

from __future__ import annotations

import hashlib
import json

import attrs
import corpus

__all__ = ["Recipe", "Shape", "Stage", "fingerprint"]


@attrs.frozen(kw_only=True)
class Shape:
    """How large the model is; `width` and `inner` are multiples of 32, which is the block of the Q8_0 format.

    Attributes:
        vocabulary: Tokens.
        layers: Of the transformer.
        width: Of its residual stream.
        heads: Of attention.
        inner: Width between the two halves of a feed-forward layer.
        context: Tokens of a conversation.
    """

    vocabulary: int = 2048
    layers: int = 3
    width: int = 160
    heads: int = 5
    inner: int = 416
    context: int = 256
    rope_base: float = 10_000.0
    epsilon: float = 1e-5


@attrs.frozen(kw_only=True)
class Stage:
    """A part of training that begins with the file of the one before.

    Attributes:
        steps: How many batches are learnt from.
        peak: The highest learning rate.
    """

    steps: int
    peak: float


@attrs.frozen(kw_only=True)
class Recipe:
    """All that decides what comes out, beside the corpus and the code.

    Attributes:
        shape: Of the model.
        stages: Of training, each with its learning rate.
        seed: Of the weights, and of the questions that are drawn in the first stage; each stage has the next one.
        batch: Questions in a batch.
        length: Tokens of a question and its answer together.
        short: Where seven of eight batches end, since an answer is chosen by its first words.
        decay: Of the weights of matrices, relative to the learning rate.
        strangers: Share of rows that put an answer behind a question which is not its own.
        often: How much more often than others a topic is drawn.
    """

    shape: Shape = Shape()
    stages: tuple[Stage, ...] = (Stage(steps=2600, peak=2.5e-3), Stage(steps=1200, peak=1.2e-3))
    seed: int = 1
    batch: int = 40
    length: int = 96
    short: int = 24
    decay: float = 0.05
    strangers: float = 0.12
    # What is not about ipfs-accel has more faces than any topic.
    often: dict[str, float] = attrs.field(
        factory=lambda: {"off-topic": 16.0, "unknown-backend": 3.0, "who-are-you": 1.5, "which-backends": 1.5}
    )


def fingerprint(recipe: Recipe) -> str:
    """Return the SHA-256 of the recipe and of what is trained on; questions that only measure do not count."""
    topics = [(topic.name, topic.asked, topic.answer) for topic in corpus.read()]
    text = json.dumps([attrs.asdict(recipe), topics, corpus.same()])
    return hashlib.sha256(text.encode()).hexdigest()
