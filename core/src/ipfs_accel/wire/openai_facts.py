"""OpenAI's dialect: what servers want otherwise than it is published, as settings of an endpoint.

A backend whose options have these fields lets a user, or the row of a host, say what holds for one server; where an
option says nothing, the backend's own attribute of the same name counts (see `ipfs_accel.wire.openai_routes.Routes`).
"""

from collections.abc import Collection
from typing import Any, Literal

import attrs

from ipfs_accel._values import frozen

__all__ = ["DialectOptions"]

TOOL_CHOICES = frozenset({"auto", "none", "required", "named"})
RESPONSE_FORMATS = frozenset({"json_object", "json_schema"})


def _some_of(names: Collection[str]) -> Any:
    def check(_instance: object, attribute: "attrs.Attribute[Any]", value: tuple[str, ...] | None) -> None:
        unknown = [each for each in value or () if each not in names]
        if unknown:
            raise ValueError(f"{attribute.name}: {unknown[0]!r} is not one of {', '.join(sorted(names))}")

    return check


def _is_a_count(_instance: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValueError(f"{attribute.name}: expected a whole number of at least 1, got {value!r}")


# Annotations are values here, so that subclasses in modules without these names can be read from a configuration. There
# are no slots, so that it can stand beside another base.
@frozen(kw_only=True, slots=False)
class DialectOptions:
    """What a server of OpenAI's dialect wants otherwise than it is published; None is what the backend says of all.

    Attributes:
        reasoning_field: Where it takes back what its model thought: a member of the message such as
            `reasoning_content`, `content` for a part of it, or empty for nowhere; None is where it said it.
        replays_extra: Whether it takes back what else it said in messages and of calls; some refuse what is unknown.
        max_tokens_field: Under which name a chat's server takes the limit of an answer.
        stream_usage: Whether it knows `stream_options`; servers that do not may refuse them.
        base64_vectors: Whether it can send vectors in base64 instead of as numbers.
        max_inputs: Of how many inputs it makes vectors in one request; more go in several.
        tool_choices: Which of `auto`, `none`, `required` and `named` (a tool's name) it takes.
        response_formats: Which of `json_object` and `json_schema` it takes.
        responses_api: Whether it has the Responses API as it is published, so that a gateway passes requests for it on;
            chats of our own are made as the backend makes them.
        refuses: Options of calls that it refuses or ignores, such as `top_k` and `logit_bias`.
    """

    reasoning_field: str | None = None
    replays_extra: bool | None = attrs.field(default=None, validator=attrs.validators.in_((None, True, False)))
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = attrs.field(
        default=None, validator=attrs.validators.in_((None, "max_tokens", "max_completion_tokens"))
    )
    stream_usage: bool | None = attrs.field(default=None, validator=attrs.validators.in_((None, True, False)))
    base64_vectors: bool | None = attrs.field(default=None, validator=attrs.validators.in_((None, True, False)))
    max_inputs: int | None = attrs.field(default=None, validator=_is_a_count)
    tool_choices: tuple[str, ...] | None = attrs.field(default=None, validator=_some_of(TOOL_CHOICES))
    response_formats: tuple[str, ...] | None = attrs.field(default=None, validator=_some_of(RESPONSE_FORMATS))
    responses_api: bool | None = attrs.field(default=None, validator=attrs.validators.in_((None, True, False)))
    refuses: tuple[str, ...] | None = None
