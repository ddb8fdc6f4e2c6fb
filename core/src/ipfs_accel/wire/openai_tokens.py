"""OpenAI's dialect, counting the input tokens of a chat without a server, by OpenAI's published encodings.

The vendor's own arithmetic for what stands around the texts is approximate, so no count made here is exact.
"""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipfs_accel import strict_json
from ipfs_accel.types import Document, Image, TokenCount, ToolCall, ToolResult

from .documents import as_text

if TYPE_CHECKING:
    from ipfs_accel.types import ChatRequest, Message

__all__ = ["count", "encoder"]

Count = Callable[[str], int]

_RANKS = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"
_PER_MESSAGE = 3
_PER_NAME = 1
_REPLY = 3
# The tools stand in a system message of their own unless there is one.
_PER_TOOLS, _WITH_SYSTEM = 9, -4
_NO_TOOL, _THIS_TOOL = 1, 7
_CHARACTERS_PER_TOKEN = 4
_ESTIMATE = "estimate"


def count(
    request: ChatRequest, encoding: str | None, image_tokens: Callable[[Image], int], *, around: int = 0
) -> TokenCount:
    """Count what a chat will send; may read the encoding's ranks from disk the first time.

    Args:
        request: The chat.
        encoding: The name of the model's encoding; None where it is not one of OpenAI's, which makes it an estimate.
        image_tokens: Tells the tokens of a picture.
        around: Tokens that the server puts before every chat.
    """
    method, tokens = _counter(encoding)
    total = around + _REPLY + sum(_message(message, image_tokens, tokens) for message in request.messages)
    if request.tools:
        total += _PER_TOOLS + sum(tokens(_signature(tool)) for tool in request.tools)
        if any(message.role in {"system", "developer"} for message in request.messages):
            total += _WITH_SYSTEM
        total += _choice(request.tool_choice, tokens)
    return TokenCount(input_tokens=total, exact=False, method=method)


def _choice(choice: str | None, tokens: Count) -> int:
    if choice in {None, "auto", "required"}:
        return 0
    return _NO_TOOL if choice == "none" else _THIS_TOOL + tokens(str(choice))


def _message(message: Message, image_tokens: Callable[[Image], int], tokens: Count) -> int:
    total = _PER_MESSAGE + tokens(message.role)
    if message.name is not None:
        total += _PER_NAME + tokens(message.name)
    return total + sum(_part(part, image_tokens, tokens) for part in message.content)


def _part(part: Any, image_tokens: Callable[[Image], int], tokens: Count) -> int:
    if isinstance(part, Image):
        return image_tokens(part)
    if isinstance(part, Document):
        part = as_text(part)
    if isinstance(part, ToolCall):
        return tokens(part.name) + tokens(part.arguments)
    if isinstance(part, ToolResult):
        return sum(_part(each, image_tokens, tokens) for each in part.content)
    text = getattr(part, "text", None)
    return tokens(text) if isinstance(text, str) else 0


def _signature(tool: Any) -> str:
    """Write a tool as the declaration that the model is shown, more or less."""
    shown = strict_json.dumps(tool.parameters).decode()
    return f"// {tool.description or ''}\ntype {tool.name} = (_: {shown}) => any;"


def encoder(encoding: str) -> tuple[str, Count] | None:
    """Return an encoding's name and what counts by it, as in `count`; None if it is not at hand."""
    method, tokens = _counter(encoding)
    return None if method == _ESTIMATE else (method, tokens)


@cache
def _counter(encoding: str | None) -> tuple[str, Count]:
    """Return the best counter that is at hand: nothing is ever fetched for it."""
    if encoding is not None and _has_tiktoken_ranks(encoding):
        import tiktoken  # noqa: PLC0415 - optional  # pyright: ignore[reportMissingImports]

        known = tiktoken.get_encoding(encoding)
        return f"tiktoken {encoding}", lambda text: len(known.encode(text, disallowed_special=()))
    if encoding is not None and find_spec("bpe_openai") is not None:
        with warnings.catch_warnings():
            # It reads its data by a function that Python deprecates, which no caller can help.
            warnings.simplefilter("ignore", DeprecationWarning)
            import bpe_openai  # noqa: PLC0415 - optional

        tokenizer = bpe_openai.get_encoding(encoding)
        return f"bpe-openai {encoding}", lambda text: len(tokenizer.encode(text, disallowed_special=()))
    return _ESTIMATE, lambda text: math.ceil(len(text) / _CHARACTERS_PER_TOKEN)


def _has_tiktoken_ranks(encoding: str) -> bool:
    """Whether tiktoken is there and would not have to download the encoding."""
    if find_spec("tiktoken") is None:
        return False
    folder = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    name = hashlib.sha1(_RANKS.format(encoding).encode(), usedforsecurity=False).hexdigest()
    return (Path(folder or Path(tempfile.gettempdir()) / "data-gym-cache") / name).is_file()
