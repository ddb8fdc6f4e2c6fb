"""The help of the root command, which is written without click if nothing else was asked: click takes longer to load.

What it lists stands here once: the commands with their modules, and the options that every command takes.
"""

from __future__ import annotations

import os
import sys

__all__ = [
    "COMMANDS",
    "COMPLETE_VARIABLE",
    "EXAMPLES",
    "HELP",
    "SHARED",
    "VERSION",
    "is_asked",
    "others",
    "page",
    "width",
]

COMPLETE_VARIABLE = "_IPFS_ACCEL_COMPLETE"

HELP = """Talk to every AI backend, hosted or local, in one way.

Models are named endpoint/model, such as openai/gpt-5.4-mini. Answers go to stdout, everything else to stderr."""
EXAMPLES = (
    'ipfs-accel chat -m openai/gpt-5.4-mini "Why is the sky blue?"',
    'cat notes.txt | ipfs-accel chat -m llvm/ "Summarise in three points."',
    "ipfs-accel models openai",
    "ipfs-accel doctor",
)
VERSION = "Show the version and exit."
SHARED = {
    "json": (("--json",), None, "Write one JSON document to stdout, errors as JSON to stderr."),
    "quiet": (("-q", "--quiet"), None, "Write no notes to stderr, only errors."),
    "color": (("--color",), "WHEN", "auto, always or never. Default: auto."),
    "config": (("--config",), "FILE", "Read this configuration file instead of the usual one."),
    "debug": (("--debug",), None, "Show the traceback of an error."),
}
"""Name to the flags, what stands for the value, and the text of the options that every command takes."""
_HELP_OPTION = ("-h, --help", "Show this message and exit.")

SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Ask models": {
        "chat": ("chat", "Ask a model, or talk with it."),
        "complete": ("generate", "Let a model continue a text."),
        "embed": ("embed", "Turn texts into vectors."),
        "rerank": ("texts", "Order texts by how well they fit a question."),
        "classify": ("texts", "Label texts."),
        "tokenize": ("texts", "Split a text into a model's tokens."),
        "count": ("texts", "Count the tokens that a chat would send."),
        "predict": ("predict", "Let a model make tensors of tensors."),
        "image": ("media", "Make pictures."),
        "edit-image": ("media", "Make pictures from pictures."),
        "speak": ("media", "Read a text aloud."),
        "transcribe": ("media", "Write down what is said."),
        "translate": ("media", "Write down in English what is said."),
        "moderate": ("media", "Judge whether texts are harmful."),
        "batch": ("batch", "Ask for each row of a file."),
        "batches": ("files", "Many chats, worked off later for less money."),
        "files": ("files", "Files that a provider keeps."),
        "objects": ("objects", "Objects in stores such as S3."),
        "call": ("call", "Perform a backend's own call."),
        "request": ("request", "Send any request of a provider's API."),
    },
    "Look around": {
        "models": ("survey", "List the models that endpoints serve."),
        "find": ("survey", "Find models by what they can do and cost."),
        "capabilities": ("capabilities", "Tell what endpoints and models can do."),
        "health": ("health", "Check whether endpoints can serve."),
        "backends": ("survey", "List the installed backends."),
        "estimate": ("estimate", "Tell what a chat would take and cost."),
        "usage": ("usage", "Add up what calls used and cost."),
    },
    "Keep models": {
        "pull": ("models", "Fetch a model to a server of models."),
        "show": ("models", "Tell all about a model."),
        "ps": ("models", "List the models that are loaded."),
        "load": ("models", "Load a model into memory."),
        "unload": ("models", "Take a model out of memory."),
        "create": ("models", "Make a model from another one or from files."),
        "cp": ("models", "Give a model a second name."),
        "rm": ("models", "Delete models from a server's disk."),
        "push": ("models", "Publish a model."),
    },
    "Set up": {
        "keys": ("keys", "Store, list and remove keys."),
        "config": ("config", "Show every setting and where it is from."),
        "doctor": ("doctor", "Examine the installation."),
        "plugin": ("plugin", "Begin a backend or middleware of your own."),
        "completion": ("completion", "Print a completion script for a shell."),
        "man": ("man", "Show the manual page."),
    },
}
COMMANDS = {name: entry for section in SECTIONS.values() for name, entry in section.items()}

EXIT_CODES = """\
  0  done
  1  failed
  2  wrong usage, or something that the backend does not offer
  3  wrong configuration or plugin
  4  key missing or refused
  5  rate limit or quota reached
  6  backend not available
  7  time limit reached
  8  stopped by a content filter
130  interrupted
"""

_WIDEST, _NARROWEST = 80, 50  # as click has them


def is_asked() -> bool:
    """Whether this process was started for this page and nothing else."""
    return sys.argv[1:] in (["--help"], ["-h"]) and COMPLETE_VARIABLE not in os.environ and sys.stdout is not None


def width() -> int:
    """Return how wide the page is to be: as the terminal is, within limits."""
    try:
        columns = int(os.environ.get("COLUMNS", "0")) or os.get_terminal_size(sys.__stdout__.fileno()).columns  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):
        columns = 0
    return max(min(columns or _WIDEST, _WIDEST) - 2, _NARROWEST)


def others() -> dict[str, str]:
    """Return the commands that other distributions bring, and which ones."""
    from ipfs_accel._plugins.distributions import installed  # noqa: PLC0415 - a command of ours needs none of them

    found: dict[str, str] = {}
    for each in installed("ipfs_accel.commands"):
        if each.entry_point.name not in COMMANDS:
            found.setdefault(each.entry_point.name, each.distribution)
    return dict(sorted(found.items()))


def page(wide: int, name: str = "ipfs-accel") -> str:
    """Return the help of the root command, in lines of at most `wide` characters where words allow."""
    options = [("--version", VERSION)]
    for flags, value, text in SHARED.values():
        options.append((", ".join(flags) + (f" {value}" if value else ""), text))
    parts = [f"Usage: {name} [OPTIONS] COMMAND [ARGUMENTS]...\n"]
    parts += ["".join([f"  {line}\n" for line in _filled(each, wide - 2)]) for each in HELP.split("\n\n")]
    parts.append("Options:\n" + _listed([*options, _HELP_OPTION], wide))
    for title, commands in SECTIONS.items():
        rows = [(f"{each:12}", text) for each, (_module, text) in commands.items()]
        parts.append(f"{title}:\n" + _listed(rows, wide))
    further = [(f"{each:12}", f"From {distribution}.") for each, distribution in others().items()]
    if further:
        parts.append("Of other distributions:\n" + _listed(further, wide))
    parts.append("Examples:\n" + "".join([f"  {each}\n" for each in EXAMPLES]))
    parts.append("Exit codes:\n" + "".join([f"  {each}\n" for each in EXIT_CODES.splitlines()]))
    return "\n".join(parts)


def _listed(rows: list[tuple[str, str]], wide: int) -> str:
    column = max([len(term) for term, _ in rows]) + 4
    lines = []
    for term, text in rows:
        first, *more = _filled(text, wide - column)
        lines.append(f"  {term}".ljust(column) + first)
        lines += [" " * column + line for line in more]
    return "".join([f"{line}\n" for line in lines])


def _filled(text: str, wide: int) -> list[str]:
    """Return the words of a text in lines."""
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= wide:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
