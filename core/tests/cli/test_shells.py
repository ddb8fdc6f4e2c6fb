"""Completion where it is at home: each shell on a terminal, with its script, and Tab typed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ipfs_accel._cli.front import COMPLETE_VARIABLE

from .conftest import COMMAND, Run
from .terminal import terminal

# In the place of the command: completes as it does, and else tells what it was called with.
STAND_IN = """\
#!{python}
import json, os, sys
if "_IPFS_ACCEL_COMPLETE" in os.environ:
    from ipfs_accel._cli import main
    main()
print("CALL" + "ED " + json.dumps(sys.argv[1:]) + " END")
"""
START = {
    "bash": ("bash", "--noprofile", "--norc", "-i"),
    "zsh": ("zsh", "-f", "-i"),
    "fish": ("fish", "--no-config", "--interactive"),
}
PREPARE = {
    "bash": "PS1='REA''DY> '; . ./script",
    "zsh": "PS1='REA''DY> '; autoload -U compinit && compinit -u -D; . ./script",
    "fish": "function fish_prompt; printf 'REA''DY> '; end; source ./script",
}
CONFIG = """\
[aliases]
fast = "lab/m"
[endpoints.lab.models."llama3.2:3b"]
context_window = 5
"""
FOLDER = "plugin new acme --into sou\t"
LINES = {
    "transc\t tal\t": ["transcribe", "talk.mp3"],
    "chat -a pho\t": ["chat", "-a", "photo of a cat.jpg"],
    "chat --schema=per\t": ["chat", "--schema=person.json"],
    "chat -m la\tll\t hello": ["chat", "-m", "lab/llama3.2:3b", "hello"],
    "chat -m lab/llama3.2:\t hello": ["chat", "-m", "lab/llama3.2:3b", "hello"],
    "chat -o prio\tlo\t": ["chat", "-o", "priority=low"],
    "objects put tal\t fa\t": ["objects", "put", "talk.mp3", "fa"],
    "request x POST /y -F f=@per\t": ["request", "x", "POST", "/y", "-F", "f=@person.json"],
    FOLDER: ["plugin", "new", "acme", "--into", "sounds"],
    "chat --no-str\t hello": ["chat", "--no-stream", "hello"],
}


@pytest.mark.parametrize("shell", START)
def test_tab_completes(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    for name in ("talk.mp3", "photo of a cat.jpg", "person.json", "config.toml", "source.txt"):
        (tmp_path / name).touch()
    (tmp_path / "sounds").mkdir()
    (tmp_path / "config.toml").write_text(CONFIG)
    command = tmp_path / "bin" / "ipfs-accel"
    command.parent.mkdir()
    command.write_text(STAND_IN.format(python=sys.executable))
    command.chmod(0o755)
    script = subprocess.run([*COMMAND, "completion", shell], check=True, capture_output=True).stdout
    (tmp_path / "script").write_bytes(script)
    environ = {
        **os.environ,
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "IPFS_ACCEL_CONFIG": str(tmp_path / "config.toml"),
        "IPFS_ACCEL_PLUGINS": "",
    }
    found = {}
    with terminal(*START[shell], environ=environ, folder=tmp_path) as screen:
        screen.type(f"{PREPARE[shell]}\n")
        for line in LINES:
            screen.expect("READY> ")
            screen.type(f"ipfs-accel {line}\n")
            screen.expect("CALLED ")
            found[line] = json.loads(screen.expect(" END"))
        screen.expect("READY> ")
        screen.type("exit\n")
    # zsh takes the slash behind a folder away again.
    found[FOLDER] = [each.rstrip("/") for each in found[FOLDER]]
    assert found == LINES


def test_the_script_for_powershell_is_whole_and_speaks_as_completing_does(run: Run) -> None:
    """That shell is in no registry that the tests could have it from, so that its script is not run here."""
    script = run("completion", "powershell").stdout
    for opening, closing in ("()", "{}", "[]"):
        assert script.count(opening) == script.count(closing)
    assert script.startswith("Register-ArgumentCompleter -Native -CommandName ipfs-accel -ScriptBlock {")
    assert f"$env:{COMPLETE_VARIABLE} = 'powershell'" in script
    assert f"Remove-Item Env:{COMPLETE_VARIABLE}" in script
    assert '@words "=$last"' in script
    assert '$kind, $value, $meaning = $line -split "`t", 3' in script
    assert {"word", "file"} == set(re.findall(r"\$kind -eq '(\w+)'", script))
