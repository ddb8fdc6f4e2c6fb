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
