"""The transformer, as llama.cpp computes its `llama` architecture: RMSNorm, RoPE over neighbouring pairs, SwiGLU."""

from __future__ import annotations

from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from recipe import Shape

__all__ = ["Weights", "initial", "logits"]

Weights: TypeAlias = dict[str, jax.Array]


def initial(shape: Shape, seed: int) -> Weights:
    """Draw weights, named as GGUF names them; a matrix is (outputs, inputs)."""
    rng = np.random.default_rng(seed)

    def dense(rows: int, columns: int, scale: float = 1.0) -> jax.Array:
        return jnp.asarray(rng.normal(0.0, scale * columns**-0.5, (rows, columns)), jnp.float32)

    width, inner = shape.width, shape.inner
    # What is added to the residual stream starts small, or its variance would grow with the depth.
    small = (2 * shape.layers) ** -0.5
    weights = {"token_embd.weight": dense(shape.vocabulary, width), "output_norm.weight": jnp.ones(width)}
    for layer in range(shape.layers):
        block = {
            "attn_norm": jnp.ones(width),
            "attn_q": dense(width, width),
            "attn_k": dense(width, width),
            "attn_v": dense(width, width),
            "attn_output": dense(width, width, small),
            "ffn_norm": jnp.ones(width),
            "ffn_gate": dense(inner, width),
            "ffn_up": dense(inner, width),
            "ffn_down": dense(width, inner, small),
        }
        weights |= {f"blk.{layer}.{name}.weight": value for name, value in block.items()}
    return weights


def logits(weights: Weights, tokens: jax.Array, shape: Shape) -> jax.Array:
    """Return (batch, length, vocabulary) for tokens of (batch, length)."""
    stream = weights["token_embd.weight"][tokens]
    turn = _angles(tokens.shape[1], shape)
    for layer in range(shape.layers):
        block = {name: weights[f"blk.{layer}.{name}.weight"] for name in _BLOCK}
        stream += _attend(block, _normed(stream, block["attn_norm"], shape), turn, shape)
        inside = _normed(stream, block["ffn_norm"], shape)
        gated = jax.nn.silu(inside @ block["ffn_gate"].T) * (inside @ block["ffn_up"].T)
        stream += gated @ block["ffn_down"].T
    return _normed(stream, weights["output_norm.weight"], shape) @ weights["token_embd.weight"].T


_BLOCK = ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down")


def _normed(stream: jax.Array, gain: jax.Array, shape: Shape) -> jax.Array:
    return stream * jax.lax.rsqrt(jnp.mean(stream**2, axis=-1, keepdims=True) + shape.epsilon) * gain


def _angles(length: int, shape: Shape) -> tuple[jax.Array, jax.Array]:
    size = shape.width // shape.heads
    speeds = shape.rope_base ** (-jnp.arange(0, size, 2) / size)
    angles = jnp.arange(length)[:, None] * speeds
    return jnp.cos(angles)[:, None, :], jnp.sin(angles)[:, None, :]


def _turned(heads: jax.Array, turn: tuple[jax.Array, jax.Array]) -> jax.Array:
    cos, sin = turn
    even, odd = heads[..., 0::2], heads[..., 1::2]
    return jnp.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1).reshape(heads.shape)


def _attend(block: Weights, stream: jax.Array, turn: tuple[jax.Array, jax.Array], shape: Shape) -> jax.Array:
    batch, length, width = stream.shape
    by_head = (batch, length, shape.heads, width // shape.heads)
    queries = _turned((stream @ block["attn_q"].T).reshape(by_head), turn)
    keys = _turned((stream @ block["attn_k"].T).reshape(by_head), turn)
    values = (stream @ block["attn_v"].T).reshape(by_head)
    scores = jnp.einsum("bqhd,bkhd->bhqk", queries, keys) * (width // shape.heads) ** -0.5
    past = jnp.tril(jnp.ones((length, length), bool))
    weights = jax.nn.softmax(jnp.where(past, scores, -jnp.inf), axis=-1)
    return jnp.einsum("bhqk,bkhd->bqhd", weights, values).reshape(stream.shape) @ block["attn_output"].T
