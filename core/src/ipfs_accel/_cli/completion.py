"""`ipfs-accel completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from .app import app
from .command import Command, State, pass_state
from .front import COMPLETE_VARIABLE
from .output import emit, write_line

__all__ = ["completion"]


@click.command(
    cls=Command,
    short_help="Print a completion script for a shell.",
    help="Print the script that completes commands, options, endpoints and aliases in SHELL, without asking a server.",
    examples=(
        'eval "$(ipfs-accel completion bash)"                  # in ~/.bashrc',
        'eval "$(ipfs-accel completion zsh)"                   # in ~/.zshrc',
        "ipfs-accel completion fish > ~/.config/fish/completions/ipfs-accel.fish",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@pass_state
def completion(state: State, shell: str) -> None:
    """Print a completion script."""
    kind = get_completion_class(shell)
    if kind is None:
        raise AssertionError(shell)
    script = kind(app, {}, "ipfs-accel", COMPLETE_VARIABLE).source()
    emit(state, {"shell": shell, "script": script}, lambda: write_line(script))
