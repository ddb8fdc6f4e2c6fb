"""For distributions that bring a command of their own to `ipfs-accel`.

An entry point of the group `ipfs_accel.commands` names it; its value is a click command, best a `Command` of this
module, which has the options that all commands share, and is imported when it is used:

    [project.entry-points."ipfs_accel.commands"]
    greet = "acme.cli:greet"

    @click.command(cls=Command, short_help="Greet a model.")
    @pass_state
    def greet(state):
        with state.client() as client:
            click.echo(client.chat("openai/gpt-5.4-mini", "Hello").text)

`emit` writes a document where JSON is asked for and shows it to people otherwise, `table` and `money` write for these.
`data_dir()` is the folder below which a command keeps what it has to keep, in one of its own.

A command of ours goes before one of the same name. Errors of the tree `ipfs_accel.errors` become a sentence and an exit
code, as with all commands.
"""

from __future__ import annotations

from ipfs_accel._cli.command import Command, Group, State, pass_state
from ipfs_accel._cli.output import emit, money, table
from ipfs_accel._config.paths import data_dir

__all__ = ["Command", "Group", "State", "data_dir", "emit", "money", "pass_state", "table"]
