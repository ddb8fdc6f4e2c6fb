"""The order of the core's rooms: stated once for the linter, and shown in the same order to readers."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_architecture_shows_the_layers_that_are_enforced() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = [each["layers"] for each in settings["contracts"] if each["type"] == "layers"]
    enforced = [{name.strip() for name in layer.split("|")} for layer in layers]

    folders = (ROOT / "ARCHITECTURE.md").read_text().partition("## Folders")[2].partition("## ")[0]
    shown = [set(re.findall(r"`(\w+)`", row)) for row in re.findall(r"^\| (`.*?) \|", folders, re.MULTILINE)]

    assert enforced == shown
