from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Run
from .test_capability_report import Dated

PRICED = """
[endpoints.studio.models.m1]
input_price = 2.0
output_price = 4.0
"""


def test_tokens_and_cost_are_told_between_bounds(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(PRICED)
    ask = ("--config", str(config), "estimate", "-m", "studio/m1", "Why is the sky blue?", "-o", "max_tokens=100")
    result = run(*ask, "--json", plugins=[Dated()])
    document = json.loads(result.stdout)
    assert (document["method"], document["prices"], document["output_method"]) == (
        "estimate",
        "configuration",
        "max_tokens",
    )
    assert document["output_tokens"] == {"low": 0, "high": 100}
    assert document["input_tokens"]["low"] <= 6 <= document["input_tokens"]["high"]
    assert document["cost"]["high"] == (document["input_tokens"]["high"] * 2 + 400) / 1e6
    lines = run(*ask, plugins=[Dated()]).stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["tokens in", "tokens out", "cost"]


def test_small_costs_keep_their_digits(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[endpoints.studio.models.m1]\ninput_price = 0.03\noutput_price = 0.03\n")
    ask = ("--config", str(config), "estimate", "-m", "studio/m1", "Why?", "-o", "max_tokens=1")
    cost = json.loads(run(*ask, "--json", plugins=[Dated()]).stdout)["cost"]
    _, low, high, _ = run(*ask, plugins=[Dated()]).stdout.splitlines()[2].split("\t")
    assert [float(low[1:]), float(high[1:])] == [
        pytest.approx(cost["low"], rel=0.01),
        pytest.approx(cost["high"], rel=0.01),
    ]


def test_what_nobody_knows_is_noted(run: Run, tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n0000")
    result = run("estimate", "-m", "studio/other", "-a", str(picture), "What is it?", plugins=[Dated()])
    assert result.exit_code == 0
    assert "messages[0].content[0]: image" in result.stderr
    assert "the price of the model is not known" in result.stderr
    assert run("estimate", "-m", "studio/m1", plugins=[Dated()]).exit_code == 2
