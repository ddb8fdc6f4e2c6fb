from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from ipfs_accel import Secret
from ipfs_accel import errors as e
from ipfs_accel._cli import failures
from ipfs_accel._cli.command import State
from ipfs_accel._config.keys import KeyFile


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (e.AccelError("x"), 1),
        (e.APIStatusError("x"), 1),
        (e.BadRequestError("x"), 1),
        (e.ModelNotFoundError("x"), 1),
        (e.InternalServerError("x", status=500), 1),
        (e.InvalidResponseError("x"), 1),
        (e.StreamIncomplete("x"), 1),
        (ValueError("x"), 1),
        (click.UsageError("x"), 2),
        (e.InvalidRequestError("x"), 2),
        (e.UnsupportedOperationError("x"), 2),
        (e.UnsupportedParameterError("x"), 2),
        (e.ConfigError("x"), 3),
        (e.PluginError("x"), 3),
        (e.MissingKeyError("x"), 4),
        (e.AuthenticationError("x"), 4),
        (e.PermissionDeniedError("x", status=403), 4),
        (e.PermissionDeniedError("x", status=402), 5),
        (e.RateLimitError("x"), 5),
        (e.QuotaExceededError("x"), 5),
        (e.APIConnectionError("x"), 6),
        (e.OverloadedError("x"), 6),
        (e.InternalServerError("x", status=502), 6),
        (e.StreamInterrupted("x", phase="read"), 6),
        (e.StreamInterrupted("x", phase="idle"), 7),
        (e.APITimeoutError("x"), 7),
        (e.PoolTimeoutError("x"), 7),
        (e.ContentFilterError("x"), 8),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_the_exit_code_tells_the_cause(error: Exception, code: int) -> None:
    assert failures.exit_code(error) == code


def _shown(error: Exception, capsys: pytest.CaptureFixture[str], **settings: Any) -> str:
    state = State()
    for name, value in settings.items():
        setattr(state, name, value)
    failures.show(error, state)
    out, err = capsys.readouterr()
    assert out == ""
    return err


def test_an_error_is_a_sentence_a_hint_and_the_request_id(capsys: pytest.CaptureFixture[str]) -> None:
    error = e.RateLimitError("slow\n  down\x1b[31m", status=429, request_id="r7", hint="wait", endpoint="lab")
    assert _shown(error, capsys) == "error: lab: slow down[31m (HTTP 429)\nhint: wait\nrequest id: r7\n"


def test_as_json_it_has_all_that_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    error = e.RateLimitError("slow down", status=429, request_id="r7", retry_after=2.5, endpoint="lab", backend="b")
    assert json.loads(_shown(error, capsys, json=True)) == {
        "error": {
            "type": "RateLimitError",
            "message": "lab: slow down (HTTP 429)",
            "hint": None,
            "exit_code": 5,
            "endpoint": "lab",
            "backend": "b",
            "status": 429,
            "request_id": "r7",
            "retry_after": 2.5,
            "retryable": True,
        }
    }


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("odd")
    except ValueError as error:
        err = _shown(error, capsys, debug=True)
    assert err.startswith("Traceback (most recent call last):\n")
    assert "error: unexpected ValueError: odd\nhint: this is a defect" in err


def test_a_file_that_cannot_be_written_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    error = PermissionError(13, "Permission denied", "/x/y")
    assert _shown(error, capsys) == "error: /x/y: Permission denied\n"


@pytest.mark.parametrize("settings", [{}, {"json": True}, {"debug": True}])
def test_no_key_shows_whoever_repeats_it(
    settings: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LAB_KEY", "sk-canary-one")
    monkeypatch.setenv("ODD_NAME", "sk-canary-two")
    KeyFile.default().set("lab", Secret("sk-canary-three"), "http://x")
    message = "wrong: sk-canary-one, sk-canary-two, sk-canary-three"
    try:
        raise e.AuthenticationError(message, hint=message)
    except e.AuthenticationError as error:
        err = _shown(error, capsys, key_variables=("ODD_NAME",), **settings)
    assert "wrong: ***, ***, ***" in err
    assert "canary" not in err
