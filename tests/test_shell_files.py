"""What `scripts/make_shell.py` writes is what the parser says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

from .test_docs import ROOT, load_script

sys.path.insert(0, str(ROOT / "scripts"))
make_shell = load_script("make_shell")


@pytest.mark.parametrize("place", make_shell.files(), ids=lambda place: place.name)
def test_files_say_what_the_parser_says(place: object) -> None:
    # Plain comparisons of long texts take pytest minutes to explain.
    is_same = place.read_text(encoding="utf-8") == make_shell.files()[place]  # type: ignore[attr-defined]
    assert is_same, f"{place} is not what the parser says; run: python scripts/make_shell.py"


def test_man_has_nothing_to_say_against_the_page() -> None:
    if shutil.which("man") is None or shutil.which("groff") is None:
        pytest.skip("man and groff are not installed")
    page = make_shell.PACKAGE / "ipfs-accel.1"
    environ = {**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "100", "MANROFFSEQ": ""}
    command = ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", str(page)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "ipfs-accel chat [OPTIONS] [PROMPT]..." in re.sub(".\b", "", done.stdout)
