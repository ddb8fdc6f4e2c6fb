"""Entry points, read from the folders on the path as `importlib.metadata` reads them, in a tenth of its time.

That module alone takes longer to import, for what else it can, than all folders take to be read. It is asked wherever
something other than folders and their usual finder is in play: archives, eggs, finders of others.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

__all__ = ["EntryPoint", "Installed", "find"]

_FIELD = re.compile(r"^(Name|Version): *(.*?)\r?$", re.MULTILINE)
_REFERENCE = re.compile(r"([\w.]+)\s*(?::\s*([\w.]+)\s*)?(?:\[.*\]\s*)?")
_SUFFIXES = (".dist-info", ".egg-info")
_UNREADABLE = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)


class EntryPoint:
    """What a distribution registers.

    Attributes:
        name: The name under which.
        value: What it names, as `module:attribute`.
    """

    __slots__ = ("name", "value")

    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self.value = value

    def load(self) -> Any:
        """Import what it names.

        Raises:
            ValueError: It names nothing that could be imported.
        """
        match = _REFERENCE.fullmatch(self.value)
        if match is None:
            raise ValueError(f"the entry point {self.value!r} is not of the form module:attribute")
        found: Any = import_module(match[1])
        for name in match[2].split(".") if match[2] else ():
            found = getattr(found, name)
        return found


class Installed:
    """An entry point and whose it is.

    Attributes:
        entry_point: What is registered.
        distribution: Name of the distribution that registers it.
        version: Of that distribution.
        group: Under which.
    """

    __slots__ = ("distribution", "entry_point", "group", "version")

    def __init__(self, entry_point: EntryPoint, distribution: str, version: str, group: str) -> None:
        self.entry_point = entry_point
        self.distribution = distribution
        self.version = version
        self.group = group


def find(*groups: str) -> list[Installed]:
    """Return what is registered under groups, in the order of the path, where the first of equal names counts."""
    folders = _metadata_folders()
    if folders is None:
        return [each for group in groups for each in _by_the_library(group)]
    found: list[Installed] = []
    for folder in folders:
        text = _text(folder, "entry_points.txt")
        if any(group in text for group in groups):
            whose = _distribution(_text(folder, "METADATA") or _text(folder, "PKG-INFO"))
            found += [
                Installed(EntryPoint(name, value), *whose, section)
                for section, name, value in _lines(text)
                if section in groups
            ]
    return found


def _metadata_folders() -> list[Path] | None:
    """Return where the distributions' metadata are; None if folders do not tell all."""
    finders = [each for each in sys.meta_path if getattr(each, "find_distributions", None) is not None]
    if finders != [PathFinder]:
        return None
    found: dict[str, Path] = {}
    path: list[object] = [*sys.path]  # which anything may have been put into
    for folder in path:
        if not isinstance(folder, str) or folder.lower().rstrip("/\\").endswith(".egg"):
            return None
        try:
            names = os.listdir(folder or ".")  # noqa: PTH208 - their names are all that is wanted
        except NotADirectoryError:
            return None  # an archive
        except (OSError, ValueError):
            continue
        for name in names:
            if name.lower().endswith(_SUFFIXES):
                stem = re.sub(r"[-_.]+", "-", name[: -len(_SUFFIXES[0])].partition("-")[0]).lower()
                if not stem or not name.endswith(_SUFFIXES):
                    return None
                found.setdefault(stem, Path(folder, name))
    return list(found.values())


def _text(folder: Path, name: str) -> str:
    try:
        return folder.joinpath(name).read_text(encoding="utf-8")
    except _UNREADABLE:
        return ""


def _lines(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield section, name and value of each line that has them."""
    section = None
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            section = line.strip("[]")
        elif section is not None and not line.startswith("#") and "=" in line:
            name, _, value = line.partition("=")
            yield section, name.strip(), value.strip()


def _distribution(text: str) -> tuple[str, str]:
    """Return name and version from the head of a distribution's metadata."""
    # Not by a parser of mails, which would read all of it, the README too.
    fields = dict(_FIELD.findall(text.partition("\n\n")[0]))
    return fields.get("Name", ""), fields.get("Version", "")


def _by_the_library(group: str) -> list[Installed]:
    from importlib import metadata  # noqa: PLC0415 - with its parser of mails it takes longer than all of this module

    found = []
    for each in metadata.entry_points(group=group):
        text = "" if each.dist is None else each.dist.read_text("METADATA") or each.dist.read_text("PKG-INFO")
        found.append(Installed(EntryPoint(each.name, each.value), *_distribution(text or ""), group))
    return found
