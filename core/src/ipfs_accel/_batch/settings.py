"""What a run asks of its rows: what of it is written into the plan, so that a run goes on as it began or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from ipfs_accel._suggest import did_you_mean
from ipfs_accel._values import frozen
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import JsonSchema, Tool

__all__ = ["FORMS", "OPERATIONS", "ORDERS", "Settings", "checked_settings"]

OPERATIONS = ("chat", "complete", "embed", "rerank", "classify")
FORMS = ("jsonl", "csv", "parquet")
_ENDINGS = {".csv": "csv", ".parquet": "parquet"}
ORDERS = ("input", "done")

_OF_THE_PROCESS = frozenset({"timeout", "priority", "key", "cache"})
"""Options that say how a call is made and not what is asked, and may be others when a run goes on."""
_NOT_TAKEN = {
    "on_upload": "rows upload nothing",
    "on_progress": "the run itself tells how far it is",
    "repair": "a row that does not fit is a failed row: run again with retry_failed",
}


@frozen(kw_only=True)
class Settings:
    """What a run asks.

    Attributes:
        operation: What.
        model: As given: `endpoint/model`, an alias or a route.
        template: What is made of a row's fields; None takes the row as it is.
        system: Instructions above each conversation.
        form: jsonl, csv or parquet.
        order: Of the lines: `input`, or `done` as answers come.
        options: Of each call, as JSON values.
        passed: Options of the calls that are not part of what is asked, such as the timeout.
    """

    operation: str
    model: str | None
    template: str | None = None
    system: str | None = None
    form: str = "jsonl"
    order: str = "input"
    options: Mapping[str, Any] = attrs.field(factory=dict)
    passed: Mapping[str, Any] = attrs.field(factory=dict, eq=False, repr=False)

    def document(self) -> dict[str, Any]:
        """Return what is written into the plan."""
        names = ("operation", "model", "template", "system", "form", "order", "options")
        return {name: getattr(self, name) for name in names}

    def given(self) -> dict[str, Any]:
        """Return what makes the same settings, as options of a run."""
        names = ("operation", "template", "system", "order")
        return {**self.options, **{name: getattr(self, name) for name in names}, "format": self.form}

    def fingerprint(self) -> str:
        """Return a hash of what is asked."""
        text = json.dumps(self.document(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def differences(self, written: Mapping[str, Any]) -> list[str]:
        """Return the names of what is not as it was when the plan was written."""
        return [name for name, value in self.document().items() if value != written.get(name)]


def checked_settings(source: Path, model: str | None, given: dict[str, Any]) -> Settings:
    """Return the settings of a run.

    Args:
        source: The input.
        model: As given.
        given: What else; what is no setting is an option of the calls.

    Raises:
        InvalidRequestError: One of them is wrong; names it.
    """
    if model is not None and not isinstance(model, str):
        raise InvalidRequestError(
            "model: a run takes one name", hint="name a route in the configuration, and give that"
        )
    operation, order = given.pop("operation", "chat"), given.pop("order", "input")
    form = given.pop("format", None) or _ENDINGS.get(source.suffix.lower(), "jsonl")
    template, system = given.pop("template", None), given.pop("system", None)
    _one_of("operation", operation, OPERATIONS)
    _one_of("order", order, ORDERS)
    _one_of("format", form, FORMS)
    if template is not None and operation == "rerank":
        raise InvalidRequestError("template: rerank takes rows with a query and documents", hint="leave it out")
    if system is not None and operation != "chat":
        raise InvalidRequestError(f"system: {operation} takes no instructions", hint="leave it out")
    for name in given:
        if name in _NOT_TAKEN:
            raise InvalidRequestError(f"{name}: a run does not take it: {_NOT_TAKEN[name]}")
    return Settings(
        operation=operation,
        model=model,
        template=template,
        system=system,
        form=form,
        order=order,
        options={name: _plain(name, value) for name, value in given.items() if name not in _OF_THE_PROCESS},
        passed={name: value for name, value in given.items() if name in _OF_THE_PROCESS},
    )


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        hint = did_you_mean(value, known) or f"it is one of {', '.join(known)}"
        raise InvalidRequestError(f"{name}: a run has no {value!r}", hint=hint)


def _plain(name: str, value: Any) -> Any:
    """Return an option as JSON has it, so that another process reads the same in the plan."""
    if isinstance(value, JsonSchema):
        inner = {each: getattr(value, each) for each in ("schema", "name", "description", "strict")}
        value = {"type": "json_schema", "json_schema": {each: it for each, it in inner.items() if it is not None}}
    elif name == "tools":
        value = [_tool(each) for each in value]
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        raise InvalidRequestError(
            f"{name}: expected a JSON value, got {type(value).__name__}",
            hint="what a run asks is written into its plan, so that another process can go on",
        ) from None


def _tool(value: Any) -> Any:
    tool = Tool.of(value) if callable(value) and not isinstance(value, Tool) else value
    if not isinstance(tool, Tool):
        return tool
    names = ("name", "description", "parameters", "strict")
    return {name: getattr(tool, name) for name in names if getattr(tool, name) is not None}
