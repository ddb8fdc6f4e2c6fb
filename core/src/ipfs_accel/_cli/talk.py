"""What a conversation asks beside its questions: whether there is such a model, and what was used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipfs_accel._client.clients import Client
from ipfs_accel._suggest import did_you_mean
from ipfs_accel.errors import (
    APIConnectionError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    UnsupportedOperationError,
)

from .command import State
from .output import money, note

if TYPE_CHECKING:
    from ipfs_accel._telemetry.usage import UsageTotal

__all__ = ["check_model", "conversation_line"]

_NOT_TOLD = (UnsupportedOperationError, PermissionDeniedError, NotFoundError)


def check_model(client: Client, name: str, state: State) -> None:
    """Refuse a name that no call could be made with; the server is asked for its models.

    Raises:
        AccelError: The endpoint is unknown, cannot chat, cannot be asked, or does not know the model.
    """
    if name in client.config.routes:
        return
    named = client.config.aliases.get(name, name)
    endpoint, _, model = named.partition("/")
    if client.capabilities(endpoint).supports("chat").value == "no":
        raise UnsupportedOperationError("it has no chat", endpoint=endpoint)
    if not model:
        return
    try:
        listed = [each.id for each in client.list_models(endpoint)]
    except _NOT_TOLD:
        note(state, f"note: {endpoint} does not list its models, so that {model} could not be looked for")
        return
    except APIConnectionError:
        if not _is_shown(client, named):
            raise
        return  # what answers to it runs in this process
    # Some models have more names than their servers list.
    if model not in listed and not _is_shown(client, named):
        raise InvalidRequestError(
            f"no model {model!r} is served",
            endpoint=endpoint,
            hint=did_you_mean(model, listed),
        )


def _is_shown(client: Client, model: str) -> bool:
    try:
        client.show_model(model)
    except (*_NOT_TOLD, APIConnectionError):
        return False
    return True


def conversation_line(total: UsageTotal) -> str:
    """Return what was used of one model as one line."""
    cached = f" ({total.cached_input_tokens} cached)" if total.cached_input_tokens else ""
    parts = []
    if total.calls:
        parts += [
            f"{total.calls} answers" if total.calls != 1 else "1 answer",
            f"{total.input_tokens} tokens in{cached}",
            f"{total.output_tokens} tokens out",
        ]
    if total.unpriced < total.calls:
        parts.append(money(total.cost))
    if total.unpriced:
        parts.append(f"{total.unpriced} without a known price")
    if total.cached:
        parts.append(f"{total.cached} more from the cache" if total.calls else f"{total.cached} from the cache")
    return f"{total.endpoint}/{total.model}: {', '.join(parts)}"
