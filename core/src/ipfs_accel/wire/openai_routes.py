"""OpenAI's dialect: where routes are and which options a server refuses; the ground of all its parts."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar

from ipfs_accel.plans import Endpoint

from .openai_requests import given

__all__ = ["Routes"]


class Routes:
    """What may differ between servers whatever the operation."""

    refuses: ClassVar[tuple[str, ...]] = ("top_k",)
    """Options that the server would refuse or ignore; OpenAI's own API knows no `top_k`."""
    tool_choices: ClassVar[tuple[str, ...] | None] = None
    """Which of `auto`, `none`, `required` and `named` it takes; None means all."""
    response_formats: ClassVar[tuple[str, ...] | None] = None
    """Which of `json_object` and `json_schema` it takes; None means both."""

    def path(self, _endpoint: Endpoint, route: str) -> str:
        """Return where a route is, below the base URL."""
        return route

    def model_path(self, endpoint: Endpoint, route: str, _model: str) -> str:
        """Return where a route is that works with a model, for servers that have the model in their paths."""
        return self.path(endpoint, route)

    def fact(self, endpoint: Endpoint, name: str) -> Any:
        """Return what holds for an endpoint: its option of this name, or else the attribute of the backend."""
        said = getattr(endpoint.options, name, None)
        return getattr(self, name) if said is None else said

    def refused(self, endpoint: Endpoint, request: Any) -> Collection[str]:
        """Return the options that the server would refuse or ignore.

        Bodies leave them out, and those that the caller gave are reported.
        """
        refuses, choices, formats = self._refusals(endpoint)
        if choices is None and formats is None:
            return refuses
        return (*refuses, *_forms_refused(request, choices, formats))

    def _refusals(self, endpoint: Endpoint) -> tuple[tuple[str, ...], Any, Any]:
        """Return the three facts that say it; they are asked for several times in each call."""
        key = type(self), "refusals"
        found = endpoint.memo.get(key)
        if found is None:
            found = endpoint.memo[key] = tuple(
                [self.fact(endpoint, each) for each in ("refuses", "tool_choices", "response_formats")]
            )
        return found

    def unsupported(self, endpoint: Endpoint, request: Any) -> tuple[str, ...]:
        """Return which of them the caller gave."""
        return given(request, self.refused(endpoint, request))


def _forms_refused(
    request: Any, tool_choices: Collection[str] | None, response_formats: Collection[str] | None
) -> tuple[str, ...]:
    """Return which of a chat's tool choice and response format have a form that the server does not take.

    Args:
        request: Of any operation.
        tool_choices: The forms of the first that it takes; None means all.
        response_formats: Likewise, of the second.
    """
    found = []
    for name, taken, form in (
        ("tool_choice", tool_choices, _form_of_choice),
        ("response_format", response_formats, _form_of_format),
    ):
        if taken is not None and given(request, (name,)) and form(getattr(request, name)) not in (*taken, "text"):
            found.append(name)
    return tuple(found)


def _form_of_choice(choice: str) -> str:
    return choice if choice in {"auto", "none", "required"} else "named"


def _form_of_format(value: object) -> str:
    if not isinstance(value, str):
        return "json_schema"
    return "text" if value == "text" else "json_object"
