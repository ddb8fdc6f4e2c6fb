from __future__ import annotations

import json
from pathlib import Path

import httpx  # noqa: TID251 - a client that nobody here wrote
from ipfs_accel.testing import Scripted
from ipfs_accel_gateway._callers import hash_of

from .gateways import Start

KEY = "ia-of-a-caller"
BODY = {"model": "scripted/any", "messages": [{"role": "user", "content": "of nobody's concern"}]}


def test_each_question_is_noted_and_nothing_that_was_said(running: Start, http: httpx.Client, tmp_path: Path) -> None:
    log = tmp_path / "log"
    keys = {"alice": {"hash": hash_of(KEY)}}
    at = running(Scripted(["an answer"]), settings={"keys": keys, "access_log": str(log)})
    for headers in ({"authorization": f"Bearer {KEY}"}, {"authorization": "Bearer another"}):
        found = http.post(f"{at.url}/v1/chat/completions", json=BODY, headers=headers)
    assert (found.status_code, found.headers["www-authenticate"]) == (401, "Bearer")
    http.post(f"{at.url}/v1beta/models/scripted/any:generateContent", json=BODY)
    at.close()
    served, refused, googles = map(json.loads, log.read_text().splitlines())
    assert (served["caller"], served["status"], served["endpoint"], served["lane"]) == (
        "alice",
        200,
        "scripted",
        "translate",
    )
    assert (refused["caller"], refused["status"], refused["error"]) == ("", 401, "authentication")
    assert (googles["dialect"], googles["status"]) == ("gemini.generate", 401)
    text = log.read_text()
    assert not [word for word in ("concern", "an answer", KEY, "another") if word in text]
