"""`ipfs-accel completion`."""

from __future__ import annotations

from pathlib import Path

import click

from .command import Command, State, pass_state
from .output import emit, write_line

__all__ = ["SHELLS", "completion"]

SHELLS = ("bash", "zsh", "fish", "powershell")


@click.command(
    cls=Command,
    short_help="Print a completion script for a shell.",
    help="Print the script that completes commands, options and what follows them in SHELL: files, endpoints, aliases, "
    "models of the catalogues, names and values of options. No server is asked.",
    examples=(
        'eval "$(ipfs-accel completion bash)"                  # in ~/.bashrc',
        'eval "$(ipfs-accel completion zsh)"                   # in ~/.zshrc, after compinit',
        "ipfs-accel completion fish > ~/.config/fish/completions/ipfs-accel.fish",
        "ipfs-accel completion powershell | Out-String | Invoke-Expression  # in $PROFILE",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
@pass_state
def completion(state: State, shell: str) -> None:
    """Print a completion script."""
    script = (Path(__file__).with_name("shells") / f"{shell}.txt").read_text(encoding="utf-8").removesuffix("\n")
    emit(state, {"shell": shell, "script": script}, lambda: write_line(script))
