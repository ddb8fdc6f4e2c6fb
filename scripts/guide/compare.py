"""Compare the exported file in llama.cpp with the transformer that was trained: tokens, prompts and probabilities.

python scripts/guide/compare.py guide.gguf
"""

from __future__ import annotations

import argparse
import math
import random
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import corpus
import gguf
import jax
import jax.numpy as jnp
import numpy as np
from ipfs_accel import Client
from model import Shape, Weights, logits
from vocabulary import Vocabulary

# llama.cpp also rounds what it multiplies Q8_0 matrices with to eight bits.
MOST = 0.05


# One length for all prompts: each further one would be compiled.
LENGTH = 128


@attrs.frozen(kw_only=True)
class Trained:
    """What is in a file, its matrices as floats."""

    weights: Weights
    vocabulary: Vocabulary
    shape: Shape

    def chances(self, ids: list[int]) -> np.ndarray[Any, Any]:
        """Return how likely each token is to come next."""
        padded = jnp.asarray([ids + [0] * (LENGTH - len(ids))])
        return np.asarray(_softmax(self.weights, padded, len(ids) - 1, self.shape))


@partial(jax.jit, static_argnames="shape")
def _softmax(weights: Weights, tokens: jax.Array, at: Any, shape: Shape) -> jax.Array:
    return jax.nn.softmax(logits(weights, tokens, shape)[0, at])


def read(path: Path) -> Trained:
    """Read a file as `export` writes it."""
    reader = gguf.GGUFReader(path)
    weights: Weights = {
        tensor.name: jnp.asarray(gguf.quants.dequantize(tensor.data, tensor.tensor_type)) for tensor in reader.tensors
    }
    tokens: list[str] = reader.fields["tokenizer.ggml.tokens"].contents()
    vocabulary = Vocabulary(tokens[len(Vocabulary.control) + 256 :])
    return Trained(weights=weights, vocabulary=vocabulary, shape=Shape(vocabulary=len(tokens)))


def main() -> None:
    """Compare on a question of each topic, with slips, and on texts of all kinds."""
    parser = argparse.ArgumentParser(description="Compare the exported file in llama.cpp with what was trained.")
    parser.add_argument("path", type=Path)
    path = parser.parse_args().path.resolve()
    trained = read(path)
    rng = random.Random(0)
    questions = [corpus.vary(corpus.expand(rng.choice(topic.asked), rng), rng) for topic in corpus.read()]
    questions += ["Grüße, 世界 🙂", "how do\ni add\tgroq", "x" * 40]
    with Client() as client:
        worst = max(_difference(client, str(path), question, trained) for question in questions)
    print(f"{len(questions)} prompts: the same tokens; probabilities differ by at most {worst:.4f}")
    if worst > MOST:
        raise SystemExit("the file does not compute what was trained")


def _difference(client: Client, path: str, question: str, trained: Trained) -> float:
    messages = [{"role": "user", "content": question}]
    prompt = client.call("llvm", "apply_template", model=path, messages=messages)["prompt"]
    ids = trained.vocabulary.chat(corpus.normal(question))
    theirs = client.tokenize(f"llvm/{path}", prompt, extra={"parse_special": True, "add_special": True}).tokens
    if list(theirs) != ids:
        raise SystemExit(f"{question!r}: llama.cpp reads {theirs}, training {ids}")
    said = client.call("llvm", "completion", model=path, prompt=prompt, n_predict=1, n_probs=5, temperature=1.0)
    chances = trained.chances(ids)
    tops = said["completion_probabilities"][0]["top_logprobs"]
    return max(abs(math.exp(top["logprob"]) - float(chances[top["id"]])) for top in tops)


if __name__ == "__main__":
    main()
