"""What a caller asks for beside chats: text completions, embeddings, an order of documents, tokens."""

from __future__ import annotations

from ipfs_accel._values import frozen

from ._requests import Request, SamplingRequest


@frozen(kw_only=True)
class CompletionRequest(SamplingRequest):
    """A text to continue.

    Attributes:
        prompt: Text or token ids, or several of them (each gets its own choices, in order).
        suffix: Text that comes after the gap to fill.
        echo: Whether the answer repeats the prompt.
        logprobs: How many alternatives per token to return.
    """

    prompt: tuple[str | tuple[int, ...], ...]
    suffix: str | None = None
    echo: bool | None = None
    logprobs: int | None = None


@frozen(kw_only=True)
class EmbedRequest(Request):
    """Inputs to turn into vectors.

    Attributes:
        inputs: Texts or lists of token ids, one vector each.
        dimensions: Length of the vectors, for models that can shorten them.
        user: An opaque id of the end user.
    """

    inputs: tuple[str | tuple[int, ...], ...]
    dimensions: int | None = None
    user: str | None = None


@frozen(kw_only=True)
class RerankRequest(Request):
    """Documents to order by their relevance to a query.

    Attributes:
        query: What is looked for.
        documents: The candidates.
        top_n: How many to return; None means all.
    """

    query: str
    documents: tuple[str, ...]
    top_n: int | None = None


@frozen(kw_only=True)
class TokenizeRequest(Request):
    """A text to split into tokens.

    Attributes:
        text: The text.
        add_special: Whether to add the model's begin and end tokens.
    """

    text: str
    add_special: bool = False


@frozen(kw_only=True)
class DetokenizeRequest(Request):
    """Token ids to turn into text.

    Attributes:
        tokens: The token ids.
    """

    tokens: tuple[int, ...]
