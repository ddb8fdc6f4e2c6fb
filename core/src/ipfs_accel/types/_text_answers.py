"""What calls give back beside chats: text completions, vectors, an order of documents, tokens."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from ipfs_accel._values import frozen

from ._answers import UNKNOWN_USAGE, Answer, TokenLogprob
from ._usage import Usage

if TYPE_CHECKING:
    Vector: TypeAlias = "array[float]"
else:
    Vector = array


@frozen(kw_only=True)
class CompletionChoice:
    """One of the continuations of a prompt.

    Attributes:
        index: Number of the answer, from 0.
        text: The continuation.
        finish_reason: Why it ended, as for a chat.
        logprobs: One entry a token, if they were asked for; the first token of an echoed prompt has logprob 0.
        extra: The provider's further fields of this continuation.
    """

    index: int = 0
    text: str
    finish_reason: str | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, eq=False, repr=False)


@frozen(kw_only=True)
class CompletionResponse(Answer):
    """The answer to a text completion; several prompts give their choices one after the other.

    Attributes:
        id: The provider's id of the answer.
        model: As the server names it.
        choices: The continuations.
        usage: Tokens, as far as the server tells.
        extra: What only this provider says.
    """

    id: str | None = None
    model: str | None = None
    choices: tuple[CompletionChoice, ...]
    usage: Usage = UNKNOWN_USAGE
    extra: Mapping[str, Any] = attrs.field(factory=dict, eq=False, repr=False)

    @property
    def text(self) -> str:
        """The first choice's text."""
        return self.choices[0].text

    @property
    def finish_reason(self) -> str | None:
        """Why the first choice ended."""
        return self.choices[0].finish_reason


@frozen(kw_only=True)
class EmbedResponse(Answer):
    """Vectors, one per input and in the inputs' order.

    Attributes:
        vectors: Each an `array('f')` (32-bit floats), which supports the buffer protocol.
        model: The model that answered, as the provider names it.
        usage: Tokens used.
    """

    vectors: tuple[Vector, ...] = attrs.field(repr=lambda vectors: f"<{len(vectors)} vectors>")
    model: str | None = None
    usage: Usage = UNKNOWN_USAGE

    def numpy(self) -> Any:
        """Return a float32 array of shape (inputs, dimensions); needs numpy."""
        import numpy as np  # noqa: PLC0415 - an optional library, imported only by who asks for it

        return np.array([np.frombuffer(vector, dtype=np.float32) for vector in self.vectors], dtype=np.float32)

    def _repr_markdown_(self) -> str:
        from . import _shown  # noqa: PLC0415 - only notebooks ask

        return _shown.vectors(self)


@frozen(kw_only=True)
class EmbedPartial:
    """What came of an embedding in several requests of which one failed; `partial` of the error.

    Attributes:
        vectors: Position of an input to its vector, in order.
        failed: The positions of the inputs whose request failed; all others without a vector were not asked for, or
            were under way and failed too.
        usage: Tokens used by those that came.
        cost: What those cost, in US dollars; None if anything of it is unknown.
    """

    vectors: Mapping[int, Vector] = attrs.field(repr=lambda vectors: f"<{len(vectors)} vectors>")
    failed: range
    usage: Usage = UNKNOWN_USAGE
    cost: float | None = None


@frozen(kw_only=True)
class RankedDocument:
    """One document's place.

    Attributes:
        index: Its position in the request.
        score: Relevance, higher is better; the scale is the model's.
        document: Its text.
    """

    index: int
    score: float
    document: str


@frozen(kw_only=True)
class RerankResponse(Answer):
    """Documents by falling relevance.

    Attributes:
        results: The documents, the most relevant first.
        model: As the server names it.
        usage: Tokens, as far as the server tells.
    """

    results: tuple[RankedDocument, ...]
    model: str | None = None
    usage: Usage = UNKNOWN_USAGE


@frozen(kw_only=True)
class TokenizeResponse(Answer):
    """Token ids of a text."""

    tokens: tuple[int, ...]


@frozen(kw_only=True)
class DetokenizeResponse(Answer):
    """The text of token ids."""

    text: str


@frozen(kw_only=True)
class TokenCount(Answer):
    """How many input tokens a chat has.

    Attributes:
        input_tokens: Tokens of the input; between `low` and `high` where these are known.
        exact: Whether the serving model's own tokenizer counted.
        method: How it was counted: server, the name of a tokenizer, or estimate.
        low: For a count that no server made: at least so many.
        high: Likewise, at most so many.
    """

    input_tokens: int
    exact: bool
    method: str | None = None
    low: int | None = None
    high: int | None = None
