"""How errors show, and which exit code each cause has."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from ipfs_accel import errors as e

from .kinds import Settings
from .output import clean, styled, write

if TYPE_CHECKING:
    from .command import State

__all__ = ["INTERRUPTED", "describe", "exit_code", "redact", "show"]

FAILURE, USAGE, CONFIGURATION, KEY, LIMIT, UNAVAILABLE, TIMEOUT, FILTERED = range(1, 9)
INTERRUPTED = 130

# The first line that fits counts.
_CODES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], int], ...] = (
    (click.UsageError, USAGE),
    ((e.InvalidRequestError, e.UnsupportedParameterError, e.UnsupportedOperationError), USAGE),
    ((e.MissingKeyError, e.AuthenticationError), KEY),
    ((e.ConfigError, e.PluginError), CONFIGURATION),
    ((e.RateLimitError, e.QueueFullError), LIMIT),
    (e.PermissionDeniedError, KEY),
    (e.ContentFilterError, FILTERED),
    (e.APITimeoutError, TIMEOUT),
    ((e.APIConnectionError, e.StreamInterrupted, e.OverloadedError, e.CircuitOpenError), UNAVAILABLE),
)
_PAYMENT_REQUIRED = 402
_GATEWAY_STATUSES = {502, 504}
_LIMIT_PHASES = {"first_event", "idle", "total"}

_CONTEXT = ("endpoint", "backend", "model", "status", "code", "request_id", "retry_after", "retryable")
_SECRET_NAME = re.compile(r"(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD)S?(?:$|_)", re.IGNORECASE)
_SHORTEST_KEY = 8


def exit_code(error: BaseException) -> int:
    """Return the exit code that tells the cause."""
    status = getattr(error, "status", None)
    if status == _PAYMENT_REQUIRED:
        return LIMIT
    if status in _GATEWAY_STATUSES:
        return UNAVAILABLE
    if isinstance(error, e.StreamInterrupted) and error.phase in _LIMIT_PHASES:
        return TIMEOUT
    return next((code for kinds, code in _CODES if isinstance(error, kinds)), FAILURE)


def describe(error: Exception) -> dict[str, Any]:
    """Return what is known of an error as plain values."""
    message, hint = _words(error)
    known = {name: getattr(error, name, None) for name in _CONTEXT}
    return {
        "type": type(error).__name__,
        "message": message,
        "hint": hint,
        "exit_code": exit_code(error),
        **{name: value for name, value in known.items() if value is not None},
    }


def show(error: Exception, state: State) -> None:
    """Write an error to stderr: one sentence, what to do, and the provider's id of the request; never a key."""
    if state.debug:
        import traceback  # noqa: PLC0415 - developers alone ask

        trace = "".join(traceback.format_exception(error))
        write(redact(trace, state), err=True)
    if isinstance(error, click.exceptions.NoArgsIsHelpError) and not state.json:
        error.show()
        return
    if state.json:
        known = {name: redact(each, state) if isinstance(each, str) else each for name, each in describe(error).items()}
        import json  # noqa: PLC0415 - few programs read errors

        write(json.dumps({"error": known}, default=str) + "\n", err=True)
        return
    message, hint = _words(error)
    lines = [
        ("error", "red", message),
        ("hint", "cyan", hint),
        ("request id", None, getattr(error, "request_id", None)),
    ]
    for label, color, text in lines:
        if text:
            write(styled(state, f"{label}:", fg=color, bold=True), err=True)
            write(f" {redact(clean(' '.join(text.split())), state)}\n", err=True)


def _words(error: Exception) -> tuple[str, str | None]:
    """Return what went wrong, and what to do about it."""
    if isinstance(error, e.AccelError):
        message = str(error)
        status = getattr(error, "status", None)
        return (f"{message} (HTTP {status})" if status and str(status) not in message else message), error.hint
    if isinstance(error, click.ClickException):
        return _click_words(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'system'}: {error.strerror}", None
    return f"unexpected {type(error).__name__}: {error}", (
        "this is a defect: please report it with what --debug and ipfs-accel doctor show"
    )


def _click_words(error: click.ClickException) -> tuple[str, str | None]:
    """Say in our own tone what click found wrong; the value of an argument is never repeated where it may be a key."""
    if isinstance(error, click.NoSuchOption):
        near = f"did you mean {' or '.join(error.possibilities)}?" if error.possibilities else _help_of(error)
        return f"there is no option {error.option_name!r}", _setting_hint(error) or near
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return "no command is named", _help_of(error)
    message = " ".join(error.format_message().split()).rstrip(".")
    return message[:1].lower() + message[1:], _help_of(error) if isinstance(error, click.UsageError) else None


def _setting_hint(error: click.NoSuchOption) -> str | None:
    """Return how an option of the call is given, if the command takes one of this name."""
    from .arguments import option_names  # noqa: PLC0415 - loaded by the command that takes any

    name = error.option_name.lstrip("-").replace("-", "_")
    types = [each.type for each in (error.ctx.command.params if error.ctx else ())]
    kinds = [kind for each in types if isinstance(each, Settings) for kind in each.options]
    is_setting = any(name in option_names(kind) for kind in kinds)
    return f"options of the call are given with -o: -o {name}=…" if is_setting else None


def _help_of(error: click.UsageError) -> str | None:
    return f"run: {error.ctx.command_path} --help" if error.ctx else None


def redact(text: str, state: State) -> str:
    """Put `***` wherever a key that this process can know of stands; a server may repeat one in its own words."""
    for secret in sorted({each for each in _secrets(state) if len(each) >= _SHORTEST_KEY}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _secrets(state: State) -> Iterator[str]:
    for name, value in os.environ.items():
        is_path = value.startswith("/")
        if name in state.key_variables or (_SECRET_NAME.search(name) and not is_path):
            yield value.strip()
    with suppress(Exception):  # an unreadable key file must not hide the error that is being shown
        from ipfs_accel._config.keys import KeyFile  # noqa: PLC0415 - only errors pay for it

        key_file = KeyFile.default()
        for name in key_file.names():
            stored = key_file.get(name)
            if stored is not None:
                yield stored.key.reveal()
