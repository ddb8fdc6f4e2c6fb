"""What a provider takes in the messages of a role."""

from __future__ import annotations

from collections.abc import Collection
from operator import is_
from typing import TypeGuard

import attrs

from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import Audio, Document, Image, Message, Part

__all__ = ["INSTRUCTIONS", "texts_alone"]

INSTRUCTIONS = frozenset({"system", "developer"})


def texts_alone(messages: tuple[Message, ...], roles: Collection[str], who: str) -> tuple[Message, ...]:
    """Return messages without pictures, sounds and files in those of some roles, if a model said them.

    Nearly always there is none, and what is returned is what was given.

    Raises:
        InvalidRequestError: There is one that no model said; says where.
    """
    found: list[Message] = []
    for index, message in enumerate(messages):
        media = [part for part in message.content if _is_medium(part)] if message.role in roles else []
        if media and message.origin is None:
            raise InvalidRequestError(
                f"messages[{index}]: {who} takes text in a message of the role {message.role}, and no {media[0].kind}",
                hint="put it into a message of the user",
            )
        kept = tuple([part for part in message.content if part not in media]) if media else ()
        found.append(attrs.evolve(message, content=kept) if media else message)
    return messages if all(map(is_, found, messages)) else tuple(found)


def _is_medium(part: Part) -> TypeGuard[Image | Audio | Document]:
    """Whether a part is one; a sound that a model made goes back by its id."""
    return isinstance(part, Image | Document) or (isinstance(part, Audio) and part.id is None)
