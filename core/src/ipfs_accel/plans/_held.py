"""Plans whose answers have to follow a JSON Schema, or may be less than they seem."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import attrs

from ipfs_accel._values import frozen
from ipfs_accel.types import JsonSchema

T = TypeVar("T")


@frozen(kw_only=True)
class Held(Generic[T]):
    """A plan, and what is known of how its server holds answers to the request's schemas, or of what it cuts.

    What becomes of a schema that is not enforced is the endpoint's setting and the core's business: it is refused or
    warned of, and the answer is checked.

    Attributes:
        plan: What to perform; any plan that a call or a stream may have.
        schema: What the answer's texts have to follow; None if it is only about tools.
        tools: Name of each tool with `strict` to the schema of its arguments.
        server: What enforces, for messages, such as "llama.cpp's chat completions".
        lost: Names what of a schema that server does not enforce; None means that nothing is known of it.
        refused: Names what of a schema that server answers with an error; None as well.
        way_out: What to do where a schema is refused.
        told: What callers are warned of before the plan is performed; None if there is nothing.
        doubt: Is given the answer, and returns what its server did not say of it, such as that the prompt was cut;
            None if there is nothing. Callers are warned of it.
    """

    plan: Any
    schema: JsonSchema | None = None
    tools: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    server: str = "the server"
    lost: Callable[[Mapping[str, Any]], tuple[str, ...]] | None = None
    refused: Callable[[Mapping[str, Any]], tuple[str, ...]] | None = None
    way_out: str | None = None
    told: str | None = None
    doubt: Callable[[Any], str | None] | None = None
