"""The form of an answer: a type, the schema to ask for it by, and how a text becomes a value of it."""

from __future__ import annotations

import functools
import re
from typing import Any

from ipfs_accel import strict_json

from .faults import Fault, MisfitError, shown
from .fields import description_of, name_of
from .schema import written
from .values import structured

__all__ = ["Form", "form_of"]

VALUE = "value"
"""The member in which a value goes that is no object, since servers that enforce schemas want an object at the root."""
_FENCED = re.compile(r"\s*```[a-zA-Z]*\n(.*)\n\s*```\s*", re.DOTALL)
_LONGEST_NAME = 64


class Form:
    """What an answer has to be.

    Attributes:
        kind: The type.
        name: A name for it, of letters, digits, `_` and `-`.
        description: What the type says of itself.
        schema: JSON Schema for the wire: of an object, in which anything else is the only member.
        has_keywords: Whether it bounds values by lengths, numbers or patterns, which the type alone does not check.
    """

    def __init__(self, kind: Any) -> None:
        found = written(kind)
        self.kind = kind
        self.name = re.sub(r"[^a-zA-Z0-9_-]+", "_", name_of(kind)).strip("_")[:_LONGEST_NAME] or "response"
        self.description = description_of(kind)
        self.has_keywords = found.has_keywords
        self.inner = found.schema
        self.is_wrapped = not found.is_object
        self.schema = self._wrapped() if self.is_wrapped else self.inner

    def _wrapped(self) -> dict[str, Any]:
        inner = {name: each for name, each in self.inner.items() if name != "$defs"}
        root = {"type": "object", "properties": {VALUE: inner}, "required": [VALUE], "additionalProperties": False}
        return {**root, "$defs": self.inner["$defs"]} if "$defs" in self.inner else root

    def plain(self, text: str) -> Any:
        """Return the JSON value in a text, without what was put around it; a fence around all of it is left out.

        Raises:
            MisfitError: It is not JSON, or not in that form.
        """
        fenced = _FENCED.fullmatch(text)
        try:
            value = strict_json.loads(text if fenced is None else fenced[1])
        except (ValueError, RecursionError) as error:
            said = "nothing was said" if not text.strip() else f"it is not JSON ({error})"
            raise MisfitError([Fault("$", said)]) from None
        if not self.is_wrapped:
            return value
        if not isinstance(value, dict) or value.keys() != {VALUE}:
            raise MisfitError([Fault("$", f"expected an object with the member {VALUE!r} alone, got {shown(value)}")])
        return value[VALUE]

    def value(self, plain: Any) -> Any:
        """Return a JSON value as one of the type.

        Raises:
            MisfitError: It does not fit.
        """
        return structured(plain, self.kind)


def form_of(kind: Any) -> Form:
    """Return the form of a type.

    Raises:
        InvalidValueError: It is no type, or something of it cannot be written as JSON Schema.
    """
    try:
        return _kept(kind, repr(kind))
    except TypeError:  # what it is annotated with cannot be hashed
        return Form(kind)


@functools.lru_cache(maxsize=128)
def _kept(kind: Any, _order: str) -> Form:
    # Unions and constants are equal in any order, which is that of the schema, too.
    return Form(kind)
