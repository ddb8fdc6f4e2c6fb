"""`ipfs-accel embed`: a vector or an error for each line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest
from ipfs_accel import hookimpl
from ipfs_accel._calls import parts
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from .conftest import Run
from .studio import Studio

BAD = {"error": {"message": "that text is bad", "type": "invalid_request_error"}}


class Pairs(Studio):
    """Takes two texts in one request."""

    @hookimpl
    def describe(self) -> Any:
        return attrs.evolve(super().describe(), max_inputs=2)


@pytest.fixture(autouse=True)
def _no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, no line tells of progress; the test of that wants it at once."""
    monkeypatch.setattr("ipfs_accel._cli.embed.SHOWN_AFTER", float("inf"))


@pytest.fixture
def lengths(httpserver: HTTPServer) -> HTTPServer:
    """Gives each text the vector of its length; refuses those that are called bad, and fails at one called down."""

    def respond(request: Request) -> Response:
        given = request.get_json()["input"]
        texts = [given] if isinstance(given, str) else given
        if any("down" in text for text in texts):
            return Response(json.dumps({"error": {"message": "no more"}}), 402, content_type="application/json")
        if any("bad" in text for text in texts):
            return Response(json.dumps(BAD), 400, content_type="application/json")
        data = [{"index": index, "embedding": [len(text), 0.5]} for index, text in enumerate(texts)]
        usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
        return Response(json.dumps({"model": "m-1", "data": data, "usage": usage}), content_type="application/json")

    httpserver.expect_request("/embeddings").respond_with_handler(respond)
    return httpserver


def asked(server: HTTPServer) -> list[Any]:
    return [request.get_json()["input"] for request, _ in server.log]


def test_each_line_has_its_vector(run: Run, lengths: HTTPServer) -> None:
    result = run("embed", "-m", "studio/m", input="a\r\nb\x0cb\x85\n")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "[1.0, 0.5]\n[4.0, 0.5]\n", "")
    assert asked(lengths) == [["a", "b\x0cb\x85"]]


def test_a_blank_line_has_an_error_in_its_place(run: Run, lengths: HTTPServer) -> None:
    result = run("embed", "-m", "studio/m", input="one\n \nthree\n\n")
    first, second, third, fourth = [json.loads(line) for line in result.stdout.splitlines()]
    assert (first, third) == ([3, 0.5], [5, 0.5])
    blank = "it is blank: there is nothing to make a vector of"
    assert second == fourth == {"error": {"type": "InvalidRequestError", "message": blank}}
    assert (result.exit_code, result.stderr) == (1, f"no vector: line 2: {blank}, and 1 more\n")
    assert asked(lengths) == [["one", "three"]]


def test_of_what_is_refused_the_halves_are_asked(run: Run, lengths: HTTPServer) -> None:
    result = run("embed", "-m", "studio/m", input="1\n22\nbad\n4444\n")
    outcomes = [json.loads(line) for line in result.stdout.splitlines()]
    assert outcomes == [
        [1, 0.5],
        [2, 0.5],
        {"error": {"type": "BadRequestError", "message": "that text is bad"}},
        [4, 0.5],
    ]
    assert (result.exit_code, result.stderr) == (1, "no vector: line 3: that text is bad\n")
    assert asked(lengths) == [["1", "22", "bad", "4444"], ["1", "22"], ["bad", "4444"], "bad", "4444"]


def test_vectors_that_came_before_a_refusal_are_kept(
    run: Run, lengths: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "AT_ONCE", 1)
    result = run("embed", "-m", "studio/m", "--usage", input="1\n22\nbad\n4444\n55555\n", plugins=[Pairs()])
    outcomes = [json.loads(line) for line in result.stdout.splitlines()]
    assert [each if isinstance(each, dict) else each[0] for each in outcomes] == [
        1,
        2,
        {"error": {"type": "BadRequestError", "message": "that text is bad"}},
        4,
        5,
    ]
    assert asked(lengths) == [["1", "22"], ["bad", "4444"], "bad", "4444", "55555"]
    assert "usage: 4 tokens in" in result.stderr


def test_a_failure_of_another_kind_ends_the_work_with_what_came(
    run: Run, lengths: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "AT_ONCE", 1)
    result = run("embed", "-m", "studio/m", "--json", input="1\n22\ndown\n4\n5\n", plugins=[Pairs()])
    document = json.loads(result.stdout)
    assert document["vectors"] == [[1, 0.5], [2, 0.5], None, None, None]
    messages = ["no more", "no more", "it was not asked for: no more"]
    assert document["errors"] == [
        {"line": line, "type": "PermissionDeniedError", "message": message} for line, message in enumerate(messages, 3)
    ]
    assert document["usage"]["input_tokens"] == 2
    assert (result.exit_code, json.loads(result.stderr)["error"]["type"]) == (5, "PermissionDeniedError")
    assert asked(lengths) == [["1", "22"], ["down", "4"]]


def test_vectors_of_two_models_of_a_route_are_never_in_one_answer(
    run: Run, httpserver: HTTPServer, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[routes.either]\ntargets = ["studio/one", "studio/two"]\n')

    def respond(request: Request) -> Response:
        model, given = request.get_json()["model"], request.get_json()["input"]
        texts = [given] if isinstance(given, str) else given
        if "bad" in texts or (model == "one" and "down" in texts):
            error = BAD if "bad" in texts else {"error": {"message": "no more"}}
            return Response(json.dumps(error), 400 if "bad" in texts else 402, content_type="application/json")
        data = [{"index": index, "embedding": [len(model + text)]} for index, text in enumerate(texts)]
        return Response(json.dumps({"model": model, "data": data}), content_type="application/json")

    httpserver.expect_request("/embeddings").respond_with_handler(respond)
    result = run("--config", str(config), "embed", "-m", "either", input="1\n22\nbad\ndown\n")
    outcomes = [json.loads(line) for line in result.stdout.splitlines()]
    assert outcomes[:2] == [[4], [5]]
    assert [each["error"]["message"] for each in outcomes[2:]] == ["that text is bad", "no more"]
    assert (result.exit_code, result.stderr.splitlines()[0]) == (5, "error: studio/one: no more (HTTP 402)")


def test_a_request_that_is_at_fault_itself_is_not_asked_for_each_line(run: Run, lengths: HTTPServer) -> None:
    result = run("embed", "-m", "studio/m", input="bad\n" * 1000)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error: studio/m: that text is bad" in result.stderr
    assert len(asked(lengths)) < 40


def test_lines_of_which_each_is_refused_have_an_error_each(run: Run, lengths: HTTPServer) -> None:
    result = run("embed", "-m", "studio/m", input="bad\n\nbad too\n")
    told = [json.loads(line)["error"]["message"] for line in result.stdout.splitlines()]
    assert told == ["that text is bad", "it is blank: there is nothing to make a vector of", "that text is bad"]
    assert (result.exit_code, result.stderr) == (1, "no vector: line 1: that text is bad, and 2 more\n")
    document = json.loads(run("embed", "-m", "studio/m", "--json", input="bad\nbad too\n").stdout)
    assert (document["vectors"], document["usage"]["input_tokens"]) == ([None, None], None)
    assert [each["line"] for each in document["errors"]] == [1, 2]


def test_a_single_text_that_is_refused_is_an_error(run: Run, lengths: HTTPServer) -> None:
    result = run("embed", "-m", "studio/m", "bad")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error: studio/m: that text is bad" in result.stderr


def test_as_json(run: Run, lengths: HTTPServer) -> None:
    document = json.loads(run("embed", "-m", "studio/m", "one", "--json").stdout)
    assert (document["vectors"], document["model"], document["usage"]["input_tokens"]) == ([[3.0, 0.5]], "m-1", 1)
    assert document["errors"] == []


def test_as_lines_of_objects(run: Run, lengths: HTTPServer) -> None:
    result = run("embed", "-m", "studio/m", "--jsonl", input="one\n\n")
    first, second = [json.loads(line) for line in result.stdout.splitlines()]
    assert first == {"line": 1, "vector": [3, 0.5]}
    assert (second["line"], second["error"]["type"]) == (2, "InvalidRequestError")
    both = run("embed", "-m", "studio/m", "--jsonl", "--json", "one")
    assert (both.exit_code, "exclude each other" in both.stderr) == (2, True)


def test_on_a_terminal_it_is_a_table(run: Run, lengths: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("embed", "output"):
        monkeypatch.setattr(f"ipfs_accel._cli.{module}.is_terminal", lambda **_: True)
    result = run("embed", "-m", "studio/m", "one", "", "--color", "never")
    titles, row, blank, *_ = result.stdout.splitlines()
    assert titles.split() == ["TEXT", "NUMBERS", "LENGTH", "BEGINS", "WITH"]
    assert row.split() == ["one", "2", "3.0414", "3.0000", "0.5000", "…"]
    assert blank.split()[:4] == ["no", "vector:", "it", "is"]


def test_how_far_it_is_is_told_where_it_takes_several_requests(
    run: Run, lengths: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipfs_accel._cli.embed.SHOWN_AFTER", 0.0)
    result = run("embed", "-m", "studio/m", input="a\nb\nc\n", plugins=[Pairs()])
    assert "100% of 3" in result.stderr
    assert run("embed", "-m", "studio/m", input="a\nb\n", plugins=[Pairs()]).stderr == ""


def test_it_wants_texts(run: Run) -> None:
    for given in (None, "\n \n"):
        result = run("embed", "-m", "studio/m", input=given)
        assert (result.exit_code, result.stderr) == (
            2,
            'error: there are no texts\nhint: give them as arguments ("…") or pipe lines in\n',
        )
