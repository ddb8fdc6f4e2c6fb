"""The commands against llama.cpp's real server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Run


@pytest.fixture
def tiny(run: Run, llama: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("STUDIO_BASE_URL", f"{llama.url}/v1")
    return run


def test_chat_shows_what_json_tells(tiny: Run) -> None:
    settings = ("-o", "max_tokens=8", "-o", "temperature=0", "-o", "seed=1")
    shown = tiny("chat", "-m", "studio/tiny", "hello", *settings, "--usage")
    assert shown.exit_code == 0, shown.stderr
    assert "8 tokens out" in shown.stderr
    document = json.loads(tiny("chat", "-m", "studio/tiny", "hello", *settings, "--json").stdout)
    assert shown.stdout.rstrip("\n") == document["text"].rstrip("\n")
    assert (document["finish_reason"], document["usage"]["output_tokens"]) == ("length", 8)


def test_embed(tiny: Run) -> None:
    lines = tiny("embed", "-m", "studio/tiny", input="one\ntwo\n").stdout.splitlines()
    first, second = map(json.loads, lines)
    assert len(first) == len(second) > 0
    assert first != second


def test_models_and_health(tiny: Run) -> None:
    assert tiny("models", "studio").stdout.startswith("studio/tiny\t")
    assert tiny("health", "studio").exit_code == 0
