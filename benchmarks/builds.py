"""Builds what is compared: wheels of a revision, and environments with them, kept by the hash of their sources.

Wheels rather than editable installs, so that what is measured is what users install: plain files, compiled to
bytecode. All versions come from the working tree's constraints.txt, so that revisions differ in themselves alone.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from email.parser import HeaderParser
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
DISTRIBUTIONS = ("ipfs-accel", "ipfs-accel-openai", "ipfs-accel-hosts")  # of them those that a revision has
VARIANTS = ("plain", "orjson", "fast")
PEERS = ("openai", "httpx", "orjson")
TREES_KEPT = 3  # builds of working trees; those of commits stay


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """Wheels of one revision.

    Attributes:
        name: As it is shown.
        wheels: Distribution to wheel.
        folder: Where its environments are.
        fast: What its extra `fast` asks for.
    """

    name: str
    wheels: dict[str, Path]
    folder: Path
    fast: frozenset[str]

    def brings(self, variant: str) -> frozenset[str]:
        """Return what a variant has beside the distributions."""
        return {"plain": frozenset[str](), "orjson": frozenset({"orjson"}), "fast": self.fast}[variant]


def run(*command: str | Path, cwd: Path = ROOT) -> bytes:
    """Run a command and return what it wrote; end the program with its words if it failed."""
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{(done.stdout + done.stderr).decode(errors='replace')}")
    return done.stdout


class Builder:
    """Builds revisions and environments for one Python in one folder."""

    def __init__(self, python: str, cache: Path) -> None:
        self._python = python
        self._cache = cache
        version = run(python, "-c", "import sys; print(sys.implementation.cache_tag, sys.version)")
        self._tag = hashlib.sha256(version + CONSTRAINTS.read_bytes()).hexdigest()[:8]
        self.version = run(python, "-c", "import platform; print(platform.python_version())").decode().strip()

    def commit(self, revision: str) -> Revision:
        """Build a revision that git knows."""
        done = run("git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        commit = done.decode().strip()[:12]
        archive = run("git", "archive", commit, "core", "plugins")
        return self._revision(revision, self._cache / commit, archive)

    def working_tree(self) -> Revision:
        """Build the working tree as it is, with what is not committed."""
        names = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "core", "plugins")
        buffer = BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name in sorted(set(names.decode().split("\0")[:-1])):
                if (ROOT / name).is_file():  # one that was deleted is listed still
                    tar.add(ROOT / name, name, filter=_bare)
        archive = buffer.getvalue()
        folder = self._cache / f"tree-{hashlib.sha256(archive).hexdigest()[:12]}"
        for old in sorted(self._cache.glob("tree-*"), key=lambda each: each.stat().st_mtime)[:-TREES_KEPT]:
            if old != folder:
                shutil.rmtree(old)
        return self._revision("working tree", folder, archive)

    def _revision(self, name: str, folder: Path, archive: bytes) -> Revision:
        wheelhouse = folder / "wheels"
        if not _is_ready(wheelhouse):
            print(f"building {name}", file=sys.stderr)
            source = folder / "source"
            with tarfile.open(fileobj=BytesIO(archive)) as tar:
                tar.extractall(source, filter="data")
            projects = {_name(path): path.parent for path in source.glob("**/pyproject.toml")}
            for each in (name for name in DISTRIBUTIONS if name in projects):
                pip = (self._python, "-m", "pip", "--disable-pip-version-check")
                run(*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", wheelhouse, projects[each])
            shutil.rmtree(source)
            _make_ready(wheelhouse)
        wheels = {each: found for each in DISTRIBUTIONS if (found := _wheel(wheelhouse, each)) is not None}
        return Revision(name=name, wheels=wheels, folder=folder, fast=_extra(wheels["ipfs-accel"], "fast"))

    def environment(self, revision: Revision, variant: str) -> Path:
        """Return the interpreter of an environment with a revision and what the variant brings."""
        extras = {"plain": [], "orjson": ["orjson"], "fast": [f"{revision.wheels['ipfs-accel']}[fast]"]}[variant]
        return self._environment(revision.folder / f"{self._tag}-{variant}", [*revision.wheels.values(), *extras])

    def peers(self) -> Path:
        """Return the interpreter of an environment with what ipfs-accel is compared with."""
        return self._environment(self._cache / f"peers-{self._tag}", PEERS)

    def newest(self, name: str, requirement: str) -> Path:
        """Return the interpreter of an environment with the newest version of a library, and what it needs."""
        return self._environment(self._cache / f"{name}-{self._tag}", [requirement], bound=())

    def _environment(
        self,
        folder: Path,
        requirements: list[str | Path] | tuple[str, ...],
        bound: tuple[str | Path, ...] = ("--constraint", CONSTRAINTS),
    ) -> Path:
        python = folder / "bin" / "python"
        if not _is_ready(folder):
            print(f"installing {folder.relative_to(self._cache)}", file=sys.stderr)
            run(self._python, "-m", "venv", "--clear", folder)
            pip = (python, "-m", "pip", "--disable-pip-version-check")
            run(*pip, "install", "--quiet", "--compile", *bound, *requirements)
            _make_ready(folder)
        return python


def versions(python: Path) -> dict[str, str]:
    """Return the distributions of an environment."""
    lines = run(python, "-m", "pip", "--disable-pip-version-check", "list", "--format", "freeze").decode().split()
    return dict(line.split("==", 1) for line in lines if "==" in line)


def _bare(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave only what is built: the same content has the same hash whenever and by whom it was written."""
    info.mtime = info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


def _name(path: Path) -> str:
    return str(tomllib.loads(path.read_text()).get("project", {}).get("name"))


def _wheel(folder: Path, distribution: str) -> Path | None:
    return next(folder.glob(f"{distribution.replace('-', '_')}-[0-9]*.whl"), None)


def _extra(wheel: Path, extra: str) -> frozenset[str]:
    with zipfile.ZipFile(wheel) as archive:
        metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = HeaderParser().parsestr(archive.read(metadata).decode()).get_all("Requires-Dist", [])
    asked = (line for line in lines if re.search(rf"extra\s*==\s*['\"]{extra}['\"]", line))
    return frozenset(re.match(r"[\w.-]+", line)[0] for line in asked)  # type: ignore[index]


def _is_ready(folder: Path) -> bool:
    return (folder / ".ready").exists()


def _make_ready(folder: Path) -> None:
    (folder / ".ready").touch()
