"""What becomes of a schema that its server may not enforce, and of an answer that may be less than it seems."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ipfs_accel import strict_json
from ipfs_accel.errors import SchemaViolationError, UnsupportedParameterError
from ipfs_accel.types import Refusal, ToolCall
from ipfs_accel.wire import schema_check

from .call import Call, UnsupportedParameterWarning

if TYPE_CHECKING:
    from ipfs_accel.errors import APIError
    from ipfs_accel.plans import Held

__all__ = ["hold"]

_MANY = 512
_SHOWN = 5


def hold(held: Held[Any], call: Call, outer: Callable[[Any], None] | None = None) -> Callable[[Any], None] | None:
    """Refuse or warn of what is not enforced, and return what looks at the answer, if anything does.

    `outer` is what looks at it already, where this plan stands in another one of its kind.

    Raises:
        UnsupportedParameterError: A schema that has to be enforced is not.
        ConfigError: Answers have to be checked, and there is no checker.
    """
    if held.told is not None:
        warnings.warn(held.told, UnsupportedParameterWarning, stacklevel=2)
    if held.refused is not None:
        call.blame = partial(_blame, held, held.refused)
    follows = _schema_check(held, call) if held.schema is not None or held.tools else None
    checks = [each for each in (_asked(held.doubt), outer, follows) if each is not None]
    if len(checks) < 2:  # noqa: PLR2004 - nothing to bring together
        return checks[0] if checks else None

    def look(answer: Any) -> None:
        for check in checks:
            check(answer)

    return look


def _blame(held: Held[Any], refused: Callable[[Mapping[str, Any]], tuple[str, ...]], error: APIError) -> None:
    """Say of an error without a reason that it is about a schema, where its server answers so to what is in it."""
    asked = [*([] if held.schema is None else [held.schema.schema]), *held.tools.values()]
    names = [name for schema in asked for name in refused(schema)][:_SHOWN]
    if names:
        error.retryable = False
        error.about(hint=f"{held.server} fails over a schema with {', '.join(names)}; write it otherwise")


def _asked(doubt: Callable[[Any], str | None] | None) -> Callable[[Any], None] | None:
    if doubt is None:
        return None

    def ask(answer: Any) -> None:
        said = doubt(answer)
        if said is not None:
            warnings.warn(said, UnsupportedParameterWarning, stacklevel=2)

    return ask


def _schema_check(held: Held[Any], call: Call) -> Callable[[Any], None] | None:
    policy = call.target.schemas
    is_typed = call.wanted is not None  # such an answer is checked in any case
    if policy == "trust":
        return None
    if policy == "check" and not is_typed:
        schema_check.require(f'endpoint {call.target.endpoint.name!r}: schemas = "check"')
    is_lossy = held.lost is not None and _tell(held, held.lost, call)
    if is_typed or held.schema is None or not (is_lossy or policy == "check") or not schema_check.is_installed():
        return None
    schema = held.schema.schema
    return lambda answer: _check(answer, schema, call)


def _tell(held: Held[Any], lost: Callable[[Mapping[str, Any]], tuple[str, ...]], call: Call) -> bool:
    """Refuse or warn; returns whether anything of the answer's schema is not enforced."""
    told, is_lossy = call.target.told_schemas, False
    for field, schema, is_strict in _schemas(held, call):
        key = (held.server, field, strict_json.dumps(schema))
        known = told.get(key)
        names = lost(schema) if known is None else known
        if len(told) >= _MANY:  # a program that makes its schemas has no end of them
            told.clear()
        told[key] = names
        if not names:
            continue
        is_lossy = is_lossy or field == "response_format"
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        message = f"{field}: {held.server} does not enforce {', '.join(names[:_SHOWN])}{more}"
        if call.target.schemas == "refuse" or is_strict:
            raise UnsupportedParameterError(message, hint=held.way_out or _WAY_OUT)
        if known is None:
            checked = schema_check.is_installed()
            rest = "the answer is checked here" if checked else "install ipfs-accel[schema] to have the answer checked"
            warnings.warn(f"{message}; {rest}", UnsupportedParameterWarning, stacklevel=2)
    return is_lossy


_WAY_OUT = "write it otherwise, or leave strict out and have the answer checked (ipfs-accel[schema])"


def _schemas(held: Held[Any], call: Call) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    if held.schema is not None and not (call.wanted and call.target.schemas != "refuse"):
        yield "response_format", held.schema.schema, held.schema.strict is True
    for name, parameters in held.tools.items():
        yield f"tools.{name}.parameters", parameters, True


def _check(answer: Any, schema: Mapping[str, Any], call: Call) -> None:
    """Check the text of each choice that ended by itself; one that was cut says so."""
    for choice in answer.choices:
        message = getattr(choice, "message", None)
        text = choice.text if message is None else message.text
        says_else = message is not None and any(isinstance(part, ToolCall | Refusal) for part in message.content)
        if says_else or choice.finish_reason not in {None, "stop"}:
            continue
        try:
            found = schema_check.violation(text, schema)
        except schema_check.UncheckableError as why:
            what = f"response_format: the answer cannot be checked against its schema: {why}"
            warnings.warn(what, UnsupportedParameterWarning, stacklevel=2)
            return
        if found is not None:
            error = SchemaViolationError(
                f"the answer does not follow the schema that was asked for: {found}",
                hint=f'ask again, or set schemas = "trust" for the endpoint {call.target.endpoint.name!r}',
            )
            error.partial = answer
            raise error
