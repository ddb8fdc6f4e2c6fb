"""The benchmark runs and judges rightly; what it measures is no test."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of ratios and verdicts; its neighbours are found as when it is run."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    for name in ("figures", "pairs", "subjects"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    spec = importlib.util.spec_from_file_location("report", BENCHMARKS / "report.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "report", module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("count", "fallen"),
    [(3, 0), (6, 0), (7, 0), (9, 3), (11, 7)],
)
def test_the_interval_is_that_of_the_signed_ranks(report: ModuleType, count: int, fallen: int) -> None:
    # The tables of the rank sum have 0, 3 and 7 as the critical values of 7, 9 and 11 pairs at 2 % on both sides.
    values = [1 + 2.0**at for at in range(count)]
    means = sorted((a + b) / 2 for at, a in enumerate(values) for b in values[at:])
    assert (means[fallen], means[-1 - fallen]) == report.interval(values)


@pytest.mark.parametrize(
    ("factor", "verdicts"), [(1.0, {"equal"}), (1.1, {"more"}), (0.9, {"less"}), (1.005, {"equal"})]
)
def test_a_tenth_is_seen_through_the_noise_of_a_busy_machine(
    report: ModuleType, factor: float, verdicts: set[str]
) -> None:
    chance = random.Random(7)
    weather = [chance.uniform(1, 3) for _ in range(11)]
    old = [each * chance.uniform(0.97, 1.03) for each in weather]
    new = [factor * each * chance.uniform(0.97, 1.03) for each in weather]
    assert verdicts == {report.ratio(new, old).verdict}


def test_nothing_over_nothing_is_equal_and_something_over_nothing_is_more(report: ModuleType) -> None:
    assert report.ratio([0.0] * 7, [0.0] * 7).verdict == "equal"
    assert report.ratio([0.1] * 7, [0.0] * 7).verdict == "more"


def run(script: str, *arguments: str) -> Any:
    command = [sys.executable, BENCHMARKS / script, "--pairs", "1", "--share", "0.02", "--json", *arguments]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV_"))}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["figures"]


@pytest.mark.timeout(300)
def test_every_figure_can_be_taken() -> None:
    figures = {each["figure"]: each for each in run("run.py", "--beside", "socket")[""]}
    assert len(figures) == 22
    for name, each in figures.items():
        assert all(value >= 0 for value in each["pairs"]["ipfs-accel"]), name
    assert {name for name, each in figures.items() if each["ratios"]} >= {"streamed event, paced, async"}


@pytest.mark.slow
@pytest.mark.timeout(900)  # it makes three environments
def test_the_working_tree_is_built_and_measured_against_a_revision(tmp_path: Path) -> None:
    if not (BENCHMARKS.parent / ".git").exists():
        pytest.skip("this is no checkout")
    found = run("against.py", "HEAD", "--variant", "plain", "--only", "chat, sync", "--cache", str(tmp_path))
    assert found["plain"][0]["ratios"].keys() == {"old", "openai"}


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    for name in ("beside", "builds", "libraries", "refused"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module("refused")


def test_each_library_can_be_asked_and_told_to_try_again(refused: ModuleType) -> None:
    for library in (refused.OURS, *refused.PEERS):
        plain, patient = library.program(), library.program(patient=True)
        for program in (plain, patient):
            compile(program, library.name, "exec")
            assert "TRIES" not in program
        assert plain != patient


def test_what_was_refused_is_asked_again(refused: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refused, "PROMPTS", 4)
    monkeypatch.setattr(refused, "A_SECOND", 3)
    monkeypatch.setattr("sys.stderr", None)  # print() then says nothing
    for library in (refused.OURS, next(each for each in refused.PEERS if each.name == "openai")):
        answered, sent, _ = refused.ask(library, Path(sys.executable), patient=True)
        assert (answered, sent >= 4) == (4, True), library.name


def test_the_server_takes_so_many_requests_a_second(refused: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(refused.time, "monotonic", lambda: now)
    server = refused.Server()
    answers = [server._answer() for _ in range(refused.A_SECOND + 1)]
    now = 101.2
    answers.append(server._answer())
    assert [each.split(b" ")[1] for each in answers] == [b"200"] * refused.A_SECOND + [b"429", b"200"]
    assert b"\r\nretry-after: 1\r\n" in answers[-2]
    assert b"\r\nx-ratelimit-reset-requests: 800ms\r\n" in answers[-1]
    assert (server.taken, server.refused) == (refused.A_SECOND + 1, 1)
