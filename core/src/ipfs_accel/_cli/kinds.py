"""What a shell completes where a command wants a text: files, models, endpoints and others.

An argument or an option has one of these as its type. `scripts/make_shell.py` writes what it says into `shape.json`,
by which `completing` completes without loading the command.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

__all__ = ["ADDRESS", "ENDPOINT", "FEATURE", "FIELD", "FILE", "FOLDER", "MODEL", "Kind", "Settings", "Words"]

if TYPE_CHECKING:
    _Text = click.ParamType[str]
else:  # click has it as a class of one kind of value only since 8.4
    _Text = click.ParamType


class Kind(_Text):
    """A text that is completed in one way.

    Attributes:
        what: The way, by the name that `completing` knows.
    """

    name = "text"

    def __init__(self, what: str) -> None:
        self.what = what


class Words(Kind):
    """A text that is mostly one of some words, and may be another.

    Attributes:
        words: Which.
    """

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__("words")
        self.words = tuple(words)


class Settings(Kind):
    """NAME=VALUE, an option of a call.

    Attributes:
        options: The option dicts that have the names, such as `ChatOptions`.
    """

    def __init__(self, options: Sequence[Any]) -> None:
        super().__init__("settings")
        self.options = options


FILE = Kind("file")
FOLDER = Kind("folder")
FIELD = Kind("field")
"""What may be `@FILE`, or behind `NAME=`."""
ENDPOINT = Kind("endpoint")
ADDRESS = Kind("address")
"""An endpoint, a slash and what only its store knows."""
MODEL = Kind("model")
FEATURE = Kind("feature")
