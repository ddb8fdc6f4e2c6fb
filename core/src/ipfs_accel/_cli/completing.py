"""Completion: what may follow the words that stand on a command line so far.

A shell waits for it with each Tab, so that neither click nor any command, nor a plugin, is loaded: `shape.json` has
what the commands take, metadata of distributions the names of endpoints, and the plugins' catalogues, as data, models.

A shell's script sets the variable and gives the words before the cursor, the last one behind `=`, for some shells drop
an empty one. It is answered in lines of cells between tabs: `word`, a text and what it means; or `file` or `folder`,
where the shell itself completes those, and what of the last word stands before the name.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeAlias

from . import front

__all__ = ["answer", "complete"]

Candidate: TypeAlias = tuple[str, str, str]
"""`word`, the text, and what it means; or `file` or `folder`, what stands before the name, and nothing."""


def answer(words: list[str]) -> None:
    """Write what may follow; a shell that completes has no place for errors, so that they give nothing."""
    *before, last = words or ["="]
    try:
        lines = ["\t".join(each) for each in complete(_unquoted(before), last.removeprefix("=").lstrip("\"'"))]
    except Exception:  # noqa: BLE001 - as above
        lines = []
    sys.stdout.write("".join([f"{line}\n" for line in lines]))


def _unquoted(words: list[str]) -> list[str]:
    """Take away quotes, which bash leaves where they are."""
    if not any(sign in word for word in words for sign in "\"'\\"):
        return words
    import shlex  # noqa: PLC0415 - few lines have quotes

    try:
        return [" ".join(shlex.split(word)) for word in words]
    except ValueError:
        return words


def complete(words: Iterable[str], last: str) -> list[Candidate]:
    """Return what may stand for the last word.

    Args:
        words: What stands between the name of the program and the last word.
        last: What of that is there already.
    """
    line = _Line(_shape())
    words = list(words)
    for word in words:
        line.take(word)
    if line.is_foreign:
        return _by_click(words, last)
    known = _Known(line.config)
    if line.awaited is not None:
        return _values(line.awaited, last, known)
    flag, equals, value = last.partition("=")
    if equals and flag.startswith("--") and not line.are_options_over:
        return [
            (kind, f"{flag}={text}", meaning)
            for kind, text, meaning in _values(line.options.get(flag, {}).get("kind"), value, known)
        ]
    if last.startswith("-") and not line.are_options_over:
        return line.flags(last)
    if line.commands:
        return _starting(line.commands | line.others(), last)
    return _values(line.argument(), last, known)


def _by_click(words: list[str], last: str) -> list[Candidate]:
    """Return what a command of another distribution takes, as click makes it out of the command itself."""
    from click.shell_completion import ShellComplete  # noqa: PLC0415 - commands of ours need no click here

    from .app import app  # noqa: PLC0415 - as above

    found = ShellComplete(app, {}, "ipfs-accel", "").get_completions(words, last)
    kinds = {"file": "file", "dir": "folder"}
    return [(kinds.get(each.type, "word"), "" if each.type in kinds else each.value, each.help or "") for each in found]


@cache
def _shape() -> dict[str, Any]:
    import json  # noqa: PLC0415 - as late as all else here

    shape: dict[str, Any] = json.loads(Path(__file__).with_name("shape.json").read_bytes())
    return shape


class _Line:
    """A command line as far as it is there.

    Attributes:
        awaited: What the last option wants to be followed by; None if by nothing.
        are_options_over: Whether `--` has been there.
        config: What `--config` says, or None.
        is_foreign: Whether the command is none of ours.
    """

    def __init__(self, shape: dict[str, Any]) -> None:
        self._shape = shape
        self._path: tuple[str, ...] = ()
        self._arguments = 0
        self._used: set[str] = set()
        self._flag = ""
        self.awaited: Any = None
        self.are_options_over = False
        self.config: str | None = None
        self.is_foreign = False

    @property
    def _entry(self) -> dict[str, Any]:
        found: dict[str, Any] = self._shape["commands"].get(" ".join(self._path), {})
        return found

    @property
    def options(self) -> dict[str, Any]:
        """Flag to what is known of the option, for all of the command."""
        return {
            flag: option
            for option in (*self._entry.get("options", ()), *self._shape["shared"])
            for flag in option["flags"]
        }

    @property
    def commands(self) -> dict[str, str]:
        """The names of what may be named next, to what they are; none if this is a command."""
        found: dict[str, str] = self._entry.get("commands", {})
        return found

    def others(self) -> dict[str, str]:
        """Return the commands that other distributions bring, if one may be named next."""
        return {} if self._path else {name: f"From {whose}." for name, whose in front.others().items()}

    def take(self, word: str) -> None:
        """Go on by one word."""
        if self.awaited is not None:
            self.awaited = None
            if self._flag == "--config":
                self.config = word
        elif word == "--" and not self.are_options_over:
            self.are_options_over = True
        elif len(word) > 1 and word.startswith("-") and not self.are_options_over:
            self._take_option(word)
        elif self.commands:
            self.is_foreign = word not in self.commands and word in self.others()
            self._path = (*self._path, word)
        else:
            self._arguments += 1

    def _take_option(self, word: str) -> None:
        name, equals, value = word.partition("=")
        # A short one may have its value behind it.
        self._flag = name if word.startswith("--") else word[:2]
        option = self.options.get(self._flag, {})
        if not option.get("repeat"):
            self._used.update(option.get("flags", ()))
        if self._flag == "--config" and equals:
            self.config = value
        if "kind" in option and not equals and self._flag == word:
            self.awaited = option["kind"]

    def argument(self) -> Any:
        """Return how the next argument is completed."""
        wanted = self._entry.get("arguments", [])
        return wanted[min(self._arguments, len(wanted) - 1)] if wanted else ""

    def flags(self, last: str) -> list[Candidate]:
        """Return the options that are not there yet; of each the long name, unless the short one is asked for."""
        found = {}
        for option in self.options.values():
            names = [flag for flag in option["flags"] if flag.startswith(last)]
            if names and not self._used & set(option["flags"]):
                found[max(names, key=len)] = option["help"]
        return _starting(found, last)


def _starting(texts: Iterable[str] | Mapping[str, str], last: str) -> list[Candidate]:
    begun = last.lower()
    meanings = texts if isinstance(texts, Mapping) else {}
    return [("word", text, meanings.get(text, "")) for text in texts if text.lower().startswith(begun)]


def _values(kind: Any, last: str, known: _Known) -> list[Candidate]:
    """Return what may stand where a value of a kind is wanted; a list has the values themselves, a dict settings."""
    if kind in ("file", "folder"):
        return [(kind, "", "")]
    if kind == "field":
        before, sign, _name = last.partition("@")
        return [("file", before + sign, "")] if sign and (not before or before.endswith("=")) else []
    if isinstance(kind, dict):
        return _starting(_settings(kind, last), last)
    return _starting(kind if isinstance(kind, list) else known.named(kind, last), last)


def _settings(values: dict[str, list[str]], last: str) -> list[str]:
    """Return names, or behind one and its sign that name's values."""
    name, equals, _value = last.partition("=")
    return [f"{name}={each}" for each in values.get(name, ())] if equals else [f"{each}=" for each in values]


class _Known:
    """What the configuration and installed distributions name; no plugin is imported."""

    def __init__(self, config: str | None) -> None:
        self._named = config

    @cached_property
    def _config(self) -> dict[str, Any]:
        """What the file says; one that is wrong says nothing here."""
        named = self._named or os.environ.get("IPFS_ACCEL_CONFIG")
        if named:
            file = Path(named).expanduser()
        else:
            from ipfs_accel._config.paths import config_dir  # noqa: PLC0415 - few words need it

            file = config_dir() / "config.toml"
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return {}
        import tomllib  # noqa: PLC0415 - there may be no file

        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            return {}

    def _table(self, name: str) -> dict[str, Any]:
        found = self._config.get(name)
        return found if isinstance(found, dict) else {}

    @cached_property
    def _packages(self) -> dict[str, str]:
        """Name of a backend or host that may load to the module that it is in."""
        from ipfs_accel._plugins.distributions import installed  # noqa: PLC0415 - as above
        from ipfs_accel._plugins.judging import judge  # noqa: PLC0415 - as above

        policy, environ = self._table("plugins"), os.environ
        allow, deny = policy.get("allow"), tuple(policy.get("deny", ()))
        if "IPFS_ACCEL_PLUGINS" in environ:
            allow = _names(environ["IPFS_ACCEL_PLUGINS"])
        deny += _names(environ.get("IPFS_ACCEL_DISABLE_PLUGINS", ""))
        found: dict[str, list[Any]] = {}
        for each in installed("ipfs_accel.backends", "ipfs_accel.hosts"):
            found.setdefault(each.entry_point.name, []).append(each)
        judged = {name: judge(name, origins, allow, deny) for name, origins in found.items()}
        return {
            name: chosen.entry_point.value.partition(":")[0]
            for name, (chosen, state, _reason) in judged.items()
            if state == "available"
        }

    def named(self, kind: str, last: str) -> list[str]:
        """Return the names of a kind; what is none has none."""
        if kind == "model":
            return self._models(last)
        if kind == "feature":
            return self._features()
        names = sorted({*self._packages, *self._table("endpoints")}) if kind in {"endpoint", "address"} else []
        return names if kind == "endpoint" else [f"{each}/" for each in names]

    def _models(self, last: str) -> list[str]:
        """Return aliases, routes and what models' names begin with; of one endpoint the models that are known."""
        endpoint, slash, _model = last.partition("/")
        if not slash:
            return [*sorted({*self._table("aliases"), *self._table("routes")}), *self.named("address", last)]
        given = self._table("endpoints").get(endpoint, {})
        found = set(given.get("models", ()))
        # A catalogue is of the provider's own service, and so of nobody's who is elsewhere.
        if "base_url" not in given:
            found.update(self._catalogued(given.get("backend", endpoint)))
        return [f"{endpoint}/{model}" for model in sorted(found)]

    def _features(self) -> list[str]:
        """Return the features that any catalogue tells of."""
        data = [_catalogue(module) for module in set(self._packages.values())]
        tables = [each for one in data for part in ("families", "models") for each in one.get(part, {}).values()]
        return sorted({feature for table in tables for feature in table.get("features", {})})

    def _catalogued(self, backend: str) -> Iterator[str]:
        """Yield the models that a backend's catalogue knows, but those that were out of service when it was made."""
        module = self._packages.get(backend, "")
        # Of several backends in a package it is that one's whose name the package has.
        is_alone = list(self._packages.values()).count(module) == 1
        data = _catalogue(module) if is_alone or module.endswith(f"_{backend}") else {}
        for name, fields in data.get("models", {}).items():
            retired = (data["families"].get(fields.get("family"), {}) | fields).get("retired")
            if retired is None or retired > data["date"]:
                yield name


def _names(text: str) -> tuple[str, ...]:
    return tuple([name.strip() for name in text.split(",") if name.strip()])


def _catalogue(module: str) -> dict[str, Any]:
    """Read the catalogue in the package of a module, without importing it; empty if it has none."""
    import json  # noqa: PLC0415 - as late as all else here
    from importlib.util import find_spec  # noqa: PLC0415 - as above

    root, *below = module.split(".")
    spec = find_spec(root) if root else None
    for folder in (spec and spec.submodule_search_locations) or ():
        place = Path(folder, *below)
        file = (place if place.is_dir() else place.parent) / "catalogue.json"
        if file.is_file():
            found: dict[str, Any] = json.loads(file.read_bytes())
            return found
    return {}
