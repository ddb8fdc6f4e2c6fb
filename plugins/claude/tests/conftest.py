"""What the tests of Claude share."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="session")
def anthropic() -> Any:
    """Anthropic's own SDK, loaded by the first test that needs it: it takes 55 MB of the worker that runs that one."""
    return pytest.importorskip("anthropic", reason="Anthropic's SDK is the oracle of these tests")
