from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel import hookimpl
from ipfs_accel.plans import Ready
from ipfs_accel.types import (
    ChatRequest,
    ClassifyRequest,
    ClassifyResponse,
    Label,
    PredictRequest,
    PredictResponse,
    RankedDocument,
    RerankRequest,
    RerankResponse,
    Tensor,
    TokenCount,
    TokenizeRequest,
    TokenizeResponse,
    Usage,
)

from .conftest import Run
from .studio import Studio

USAGE = Usage(input_tokens=7, output_tokens=0)


class Library(Studio):
    """Ranks texts by their length, splits them into characters, labels and turns them around."""

    @hookimpl
    def rerank(self, request: RerankRequest) -> Any:
        places = sorted(range(len(request.documents)), key=lambda place: -len(request.documents[place]))
        ranked = [
            RankedDocument(index=place, score=len(request.documents[place]) / 8, document=request.documents[place])
            for place in places[: request.top_n]
        ]
        return Ready(value=RerankResponse(results=tuple(ranked), model=request.query, usage=USAGE))

    @hookimpl
    def tokenize(self, request: TokenizeRequest) -> Any:
        return Ready(
            value=TokenizeResponse(tokens=((1,) if request.add_special else ()) + tuple(map(ord, request.text)))
        )

    @hookimpl
    def count_tokens(self, request: ChatRequest) -> Any:
        count = sum([len(message.text) for message in request.messages])
        return Ready(value=TokenCount(input_tokens=count, exact=request.temperature is None, method="letters"))

    @hookimpl
    def classify(self, request: ClassifyRequest) -> Any:
        labels = (Label(label="joy", score=0.75), Label(label="fear", score=0.2), Label(label="none", score=0.05))
        return Ready(value=ClassifyResponse(results=tuple([labels for _ in request.inputs]), usage=USAGE))

    @hookimpl
    def predict(self, request: PredictRequest) -> Any:
        given = [each if isinstance(each, Tensor) else each.typed() for each in request.inputs]
        words = Tensor.from_strings([b"caf\xc3\xa9", b"\xff"], name="words")
        outputs = (*given, words) if request.outputs is None else tuple(given)
        return Ready(value=PredictResponse(outputs=outputs, model="m-1"))


@pytest.fixture
def ask(run: Run) -> Run:
    return lambda *arguments, **settings: run(*arguments, "-m", "studio/m", plugins=[Library()], **settings)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("texts", "predict", "output"):
        monkeypatch.setattr(f"ipfs_accel._cli.{module}.is_terminal", lambda **_: True)


def test_an_order(ask: Run) -> None:
    result = ask("rerank", "cats", input="a\n\nabcd\nab\n")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "1\t0.5000\tabcd\n2\t0.2500\tab\n0\t0.1250\ta\n", "")
    result = ask("rerank", "cats", "a", "abcd", "--top", "1", "--usage")
    assert (result.stdout, result.stderr.startswith("usage: 7 tokens in")) == ("1\t0.5000\tabcd\n", True)
    document = json.loads(ask("rerank", "cats", "a", "abcd", "--json").stdout)
    assert (document["results"][0], document["model"]) == ({"index": 1, "score": 0.5, "document": "abcd"}, "cats")
    assert ask("rerank", "cats").stderr.startswith("error: there are no texts\n")
    assert ask("rerank", "cats", "a", "--top", "0").exit_code == 2


def test_tokens(ask: Run) -> None:
    assert ask("tokenize", "b", input="a\n").stdout == "97 10 10 98\n"
    assert ask("tokenize", "ab", "--special").stdout == "1 97 98\n"
    assert json.loads(ask("tokenize", "ab", "--json").stdout)["tokens"] == [97, 98]
    assert ask("tokenize").stderr.startswith("error: there is no text\n")


def test_a_count(ask: Run, tmp_path: Path) -> None:
    result = ask("count", "-s", "abc", "de", input="f")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "8\n", "")
    result = ask("count", "ab", "-o", "temperature=0")
    assert (result.stdout, result.stderr) == ("2\n", "note: this is no exact count (letters)\n")
    counted = json.loads(ask("count", "ab", "--json").stdout)
    assert (counted["input_tokens"], counted["exact"], counted["method"]) == (2, True, "letters")
    assert ask("count").stderr.startswith("error: there is no prompt\n")
    offline = ask("count", "--offline", "ab")
    assert 1 <= int(offline.stdout) <= 100
    assert "no exact count (estimate, between 1 and " in offline.stderr
    assert ask("count", "-a", str(tmp_path / "none")).exit_code == 2


def test_labels(ask: Run) -> None:
    result = ask("classify", input="fine\nwell\n")
    row = "joy\t0.7500\tfear 0.2000, none 0.0500\n"
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"fine\t{row}well\t{row}", "")
    assert ask("classify", "fine", "--usage").stderr.startswith("usage: 7 tokens in")
    labels = json.loads(ask("classify", "fine", "--json").stdout)["results"]
    assert labels[0][0] == {"label": "joy", "score": 0.75}


def test_long_texts_are_cut_on_a_terminal_alone(ask: Run, request: pytest.FixtureRequest) -> None:
    text = "x" * 100
    assert text in ask("classify", text).stdout
    request.getfixturevalue("terminal")
    shown = ask("classify", text, "--color", "never").stdout
    assert (shown.count("x"), "…" in shown) == (59, True)
    assert "TEXT" in shown


@pytest.mark.parametrize(
    ("arguments", "piped", "outputs"),
    [
        (("x=[[1, 2], [3, 4]]",), None, [("x", "INT64", [2, 2], [[1, 2], [3, 4]])]),
        (("x=[0.5]", "y=@file.json"), None, [("x", "FP32", [1], [0.5]), ("y", "INT64", [2], [7, 8])]),
        (("[1.5]",), None, [("", "FP32", [1], [1.5])]),
        ((), '{"x": [1], "y": [2]}', [("x", "INT64", [1], [1]), ("y", "INT64", [1], [2])]),
    ],
    ids=["name", "file", "alone", "piped"],
)
def test_tensors(
    ask: Run,
    arguments: tuple[str, ...],
    piped: str | None,
    outputs: list[tuple[Any, ...]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file.json").write_text("[7, 8]")
    result = ask("predict", *arguments, "-o", "outputs=x", input=piped)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert [(name, kind, json.loads(shape), json.loads(values)) for name, kind, shape, values in lines] == outputs
    document = json.loads(ask("predict", *arguments, "-o", "outputs=x", "--json", input=piped).stdout)
    names = ("name", "datatype", "shape", "values")
    assert [tuple([each[name] for name in names]) for each in document["outputs"]] == outputs
    assert document["model"] == "m-1"


def test_tensors_of_texts_and_on_a_terminal(ask: Run, request: pytest.FixtureRequest) -> None:
    numbers = json.dumps(list(range(100)))
    assert ask("predict", "x=[1]").stdout.endswith('words\tBYTES\t[2]\t["café", "/w=="]\n')
    assert numbers in ask("predict", f"x={numbers}").stdout
    request.getfixturevalue("terminal")
    shown = ask("predict", f"x={numbers}", "--color", "never").stdout
    assert ("[0, 1, 2, " in shown, "…" in shown, "99" in shown) == (True, True, False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "there is no input"),
        (("x",), "INPUT 'x': expected NAME=JSON or NAME=@FILE"),
        (("x=[1",), "x: not valid JSON: "),
        (("x=@none.json",), "x: cannot read none.json: No such file"),
    ],
    ids=["none", "no name", "no JSON", "no file"],
)
def test_tensors_that_are_none(ask: Run, arguments: tuple[str, ...], message: str) -> None:
    result = ask("predict", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {message}")


@pytest.mark.parametrize("command", ["rerank", "tokenize", "count", "classify", "predict", "translate", "edit-image"])
def test_what_a_backend_lacks_is_said(run: Run, command: str, tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    source.write_bytes(b"\x89PNG\r\n\x1a\n0")
    words = {"predict": ("x=[1]",), "translate": (str(source),), "edit-image": (str(source), "red")}
    result = run(command, *words.get(command, ("a", "b")), "-m", "studio/m")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "studio" in result.stderr
    named = run(command, *words.get(command, ("a", "b")))
    assert (named.exit_code, f"ipfs-accel {command} -m ENDPOINT/MODEL" in named.stderr) == (2, True)
