"""Where code comes from: the files of installed distributions, as they were recorded and as they are."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeAlias

from ipfs_accel._values import frozen

__all__ = ["CodeFile", "Origin", "module_file", "origin_of"]

FileState: TypeAlias = Literal["same", "changed", "missing", "unrecorded"]

_CODE = {".py", ".so", ".pyd", ".dll", ".dylib", ".pth"}


@frozen(kw_only=True)
class CodeFile:
    """A file of a distribution.

    Attributes:
        path: As RECORD has it, or else in full.
        recorded: Its hash when it was installed, as `sha256:…` in hexadecimal; None if RECORD does not have it.
        actual: Its hash now; None if there is no such file.
    """

    path: str
    recorded: str | None
    actual: str | None

    @property
    def state(self) -> FileState:
        """How the two compare."""
        if self.actual is None:
            return "missing"
        if self.recorded is None:
            return "unrecorded"
        return "same" if self.recorded == self.actual else "changed"


@frozen(kw_only=True)
class Origin:
    """A distribution.

    Attributes:
        name: Of the distribution.
        version: Of it.
        location: The folder in which it is installed.
        editable: Whether it runs from a source tree, whose files no record tells of.
        recorded: Whether it has a RECORD with hashes.
        files: Those that RECORD has a hash of, and those of the packages that its plugins are in.
    """

    name: str
    version: str
    location: str
    editable: bool
    recorded: bool
    files: tuple[CodeFile, ...]

    @property
    def altered(self) -> tuple[CodeFile, ...]:
        """The files that are not as they were installed; nothing can be said of what runs from a source tree."""
        found = [
            each
            for each in self.files
            # A command outside the folder of packages is put elsewhere by some ways to install, or left out.
            if each.state == "changed" or (each.state == "missing" and not each.path.startswith(".."))
        ]
        if self.recorded and not self.editable:
            added = [each for each in self.files if each.state == "unrecorded"]
            found += [each for each in added if Path(each.path).suffix in _CODE]
        return tuple(found)


def module_file(module: str) -> Path | None:
    """Return the file of a module; one that is not imported stays so."""
    loaded = sys.modules.get(module)
    if loaded is not None:
        file = getattr(loaded, "__file__", None)
        return Path(file) if file else None
    name, *rest = module.split(".")
    try:
        spec = find_spec(name)
        for part in rest:
            name = f"{name}.{part}"
            spec = PathFinder.find_spec(name, spec.submodule_search_locations) if spec else None
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec and spec.origin and spec.has_location else None


def origin_of(distribution: str, modules: Iterable[Path]) -> Origin | None:
    """Hash the files of a distribution.

    Args:
        distribution: Its name.
        modules: Files of the modules that it is used by; the packages that they are in are looked at in full.

    Returns:
        None if no such distribution is installed.
    """
    try:
        found = metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return None
    files: dict[str, CodeFile] = {}
    for entry, algorithm, value in _record(found):
        path = os.path.normpath(str(found.locate_file(entry)))
        recorded = f"{algorithm}:{_hexadecimal(value)}"
        files[path] = CodeFile(path=entry, recorded=recorded, actual=_hash(path, algorithm))
    recorded_any = bool(files)
    for path in _package_files(modules):
        if path not in files:
            files[path] = CodeFile(path=path, recorded=None, actual=_hash(path, "sha256"))
    return Origin(
        name=found.metadata["Name"],
        version=found.version,
        location=os.path.normpath(str(found.locate_file(""))),
        editable=_is_editable(found),
        recorded=recorded_any,
        files=tuple([files[path] for path in sorted(files)]),
    )


def _record(found: metadata.Distribution) -> Iterator[tuple[str, str, str]]:
    """Yield path, algorithm and hash from RECORD; `Distribution.files` has none of missing files since Python 3.12."""
    for path, recorded in [row[:2] for row in csv.reader((found.read_text("RECORD") or "").splitlines()) if row[1:]]:
        algorithm, _, value = recorded.partition("=")
        if value and algorithm in hashlib.algorithms_available:
            yield path, algorithm, value


def _hexadecimal(value: str) -> str:
    """Return a hash of RECORD, which is base64 for URLs without its padding, as people compare it."""
    try:
        return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).hex()
    except ValueError:
        return value


def _hash(path: str, algorithm: str) -> str | None:
    try:
        with Path(path).open("rb") as file:
            return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"
    except OSError:
        return None


def _package_files(modules: Iterable[Path]) -> Iterator[str]:
    for module in modules:
        inside = module.parent.rglob("*") if module.name == "__init__.py" else [module]
        for path in inside:
            if path.is_file() and "__pycache__" not in path.parts:
                yield os.path.normpath(path)


def _is_editable(found: metadata.Distribution) -> bool:
    try:
        told = json.loads(found.read_text("direct_url.json") or "{}")
    except ValueError:
        return False
    return bool(isinstance(told, dict) and isinstance(told.get("dir_info"), dict) and told["dir_info"].get("editable"))
