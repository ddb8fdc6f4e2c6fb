from __future__ import annotations

import json
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from .conftest import Run

COMPLETION: dict[str, Any] = {
    "id": "x",
    "model": "m-1",
    "choices": [{"index": 0, "text": " a time", "finish_reason": "stop"}],
}


def _vectors(*vectors: list[float]) -> dict[str, Any]:
    data = [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    return {"model": "m-1", "data": data, "usage": {"prompt_tokens": 2, "total_tokens": 2}}


def test_complete_streams(run: Run, httpserver: HTTPServer) -> None:
    body = "".join([f"data: {json.dumps(part)}\n\n" for part in [COMPLETION]]) + "data: [DONE]\n\n"
    httpserver.expect_request("/completions").respond_with_data(body, content_type="text/event-stream")
    result = run("complete", "-m", "studio/m", "upon", "-o", "max_tokens=3", "--usage", input="Once\n")
    assert (result.exit_code, result.stdout) == (0, " a time\n")
    assert result.stderr.startswith("usage: ")
    assert httpserver.log[0][0].json["prompt"] in ("Once\nupon", ["Once\nupon"])


@pytest.mark.parametrize("flag", ["--no-stream", "--json"])
def test_complete_at_once(run: Run, httpserver: HTTPServer, flag: str) -> None:
    httpserver.expect_request("/completions").respond_with_json(COMPLETION)
    result = run("complete", "-m", "studio/m", "Once", flag)
    if flag == "--json":
        document = json.loads(result.stdout)
        assert (document["text"], document["finish_reason"]) == (" a time", "stop")
    else:
        assert result.stdout == " a time\n"


def test_complete_wants_a_text(run: Run) -> None:
    assert run("complete", "-m", "studio/m").exit_code == 2


def test_embed_gives_lines_of_json(run: Run, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/embeddings").respond_with_json(_vectors([1.0, 0.5], [0.0, 2.0]))
    result = run("embed", "-m", "studio/m", input="one\n\ntwo\n")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "[1.0, 0.5]\n[0.0, 2.0]\n", "")
    assert httpserver.log[0][0].json["input"] == ["one", "two"]


def test_embed_as_json(run: Run, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/embeddings").respond_with_json(_vectors([1.0, 0.5]))
    document = json.loads(run("embed", "-m", "studio/m", "one", "--json").stdout)
    assert (document["vectors"], document["model"], document["usage"]["input_tokens"]) == ([[1.0, 0.5]], "m-1", 2)


def test_embed_on_a_terminal_is_a_table(run: Run, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    httpserver.expect_request("/embeddings").respond_with_json(_vectors([3.0, 4.0]))
    for module in ("generate", "output"):
        monkeypatch.setattr(f"ipfs_accel._cli.{module}.is_terminal", lambda **_: True)
    result = run("embed", "-m", "studio/m", "one", "--color", "never")
    titles, row = result.stdout.splitlines()
    assert titles.split() == ["TEXT", "NUMBERS", "LENGTH", "BEGINS", "WITH"]
    assert row.split() == ["one", "2", "5.0000", "3.0000", "4.0000", "…"]


def test_embed_wants_texts(run: Run) -> None:
    result = run("embed", "-m", "studio/m")
    assert (result.exit_code, result.stderr) == (
        2,
        'error: there are no texts\nhint: give them as arguments ("…") or pipe lines in\n',
    )
