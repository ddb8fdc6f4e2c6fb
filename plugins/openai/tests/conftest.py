from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ipfs_accel import Client, EndpointConfig
from pytest_httpserver import HTTPServer


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def hosted(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the recording server count as OpenAI's own, whose rules are what is tested; return its base URL."""
    monkeypatch.setattr("ipfs_accel_openai._rules.is_hosted", lambda _endpoint: True)
    return httpserver.url_for("/v1")


@pytest.fixture
def client(hosted: str) -> Iterator[Client]:
    with Client(endpoints={"openai": EndpointConfig(base_url=hosted, key="sk-test")}) as client:
        yield client


@pytest.fixture
def sdk(hosted: str) -> Iterator[Any]:
    """Return the vendor's own client of the same server."""
    openai = pytest.importorskip("openai", reason="OpenAI's SDK is the oracle of these tests")
    with openai.OpenAI(base_url=hosted, api_key="sk-test", max_retries=0) as sdk:
        yield sdk
