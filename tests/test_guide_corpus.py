"""What the guide is trained on: true, without contradictions, and what the distributed file was made from."""

from __future__ import annotations

import importlib
import re
import sys
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

import click
import pytest
from ipfs_accel import Client, errors
from ipfs_accel._cli.app import app

ROOT = Path(__file__).parent.parent
CORPUS = ROOT / "scripts" / "guide" / "corpus"
FILE = ROOT / "plugins" / "specialized" / "llvm" / "src" / "ipfs_accel_llvm" / "guide.gguf"


@pytest.fixture(scope="module")
def modules() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CORPUS.parent))
        yield {name: importlib.import_module(name) for name in ("corpus", "recipe")}
        for name in ("corpus", "recipe"):
            del sys.modules[name]


@pytest.fixture(scope="module")
def topics(modules: Any) -> Any:
    return modules["corpus"].read()


def test_the_file_was_made_from_this_corpus(modules: Any) -> None:
    from ipfs_accel_llvm._gguf import metadata

    recipe = modules["recipe"]
    made_from = metadata(FILE)["guide.made_from"]
    assert made_from == recipe.fingerprint(recipe.Recipe()), "the corpus or the recipe changed: run make guide"


def test_no_question_has_two_answers_and_none_measures_what_it_trains(modules: Any, topics: Any) -> None:
    corpus = modules["corpus"]
    answers = defaultdict(set)
    for topic in topics:
        for text in (text for pattern in topic.asked for text in corpus.expansions(pattern)):
            answers[corpus.normal(text)].add(topic.name)
    assert {text: names for text, names in answers.items() if len(names) > 1} == {}
    assert [text for _, text in corpus.held_out(topics) if text in answers] == []


def said(topics: Any, pattern: str) -> set[str]:
    return {name for topic in topics for name in re.findall(pattern, topic.answer)}


def test_answers_name_only_what_there_is(topics: Any) -> None:
    commands = said(topics, r"(?:Run|Use|then|or run) ipfs-accel ([a-z]+)\b")
    assert len(commands) > 20
    assert commands <= set(app.list_commands(click.Context(app)))
    assert said(topics, r"client\.(\w+)\(") <= set(dir(Client))
    assert said(topics, r"\b([A-Z]\w+Error)\b") <= set(errors.__all__)
    extras = tomllib.loads((ROOT / "core" / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = {name for names in said(topics, r"ipfs-accel\[([\w,]+)\]") for name in names.split(",")}
    assert len(wanted) > 10
    assert wanted <= set(extras)
    documented = (ROOT / "docs" / "reference" / "environment.txt").read_text()
    assert {name for name in said(topics, r"\b(IPFS_ACCEL_\w+)") if f"`{name}`" not in documented} == set()


def test_every_variable_of_a_backend_that_an_answer_names_is_read(topics: Any) -> None:
    sources = "".join(path.read_text() for path in (ROOT / "plugins").rglob("src/**/*.py"))
    read = {name for names in re.findall(r'"([A-Z0-9_:]+)"', sources) for name in names.split(":")}
    names = said(topics, r"\b([A-Z][A-Z0-9]+_[A-Z0-9_]+)\b") - {"KEY_A", "KEY_B"}
    assert {name for name in names if not name.startswith("IPFS_ACCEL_") and name not in read} == set()
