"""`ipfs-accel plugin`: begin a backend or middleware of one's own."""

from __future__ import annotations

import keyword
import re
from importlib import metadata, resources
from pathlib import Path
from string import Template

import click

from ipfs_accel._plugins.names import RESERVED
from ipfs_accel.errors import ConfigError, InvalidRequestError
from ipfs_accel.installing import develop_command

from .command import Group, State, pass_state
from .output import emit, note, write_line

__all__ = ["plugin"]

_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")


@click.group(
    cls=Group,
    short_help="Begin a backend or middleware of your own.",
    help="Write backends and middleware of your own.",
    examples=(
        "ipfs-accel plugin new acme",
        "ipfs-accel plugin new acme --wire own --base-url http://127.0.0.1:8080",
        "ipfs-accel plugin new discretion --middleware",
    ),
)
def plugin() -> None:
    """Write backends and middleware of your own."""


@plugin.command(
    "new",
    short_help="Write a complete distribution for a backend or middleware.",
    help="Write a distribution for the backend or the middleware NAME: its module, its tests and what pip needs. It "
    "installs, is found and passes its tests as it is; what yours does otherwise is yours to change.",
    examples=(
        "ipfs-accel plugin new acme --base-url https://api.acme.example/v1",
        'cd ipfs-accel-acme && pip install -e ".[test]" && pytest',
    ),
)
@click.argument("name")
@click.option(
    "--wire",
    type=click.Choice(["openai", "own"]),
    default=None,
    help="Whether the server speaks OpenAI's dialect, as by default, or has a format of its own.",
)
@click.option("--base-url", metavar="URL", default=None, help="Where the server usually is.")
@click.option("--middleware", is_flag=True, help="Write middleware, which stands around the calls to all backends.")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="FOLDER",
    help="Where the new folder goes. Default: here.",
)
@pass_state
def new(state: State, name: str, *, wire: str | None, base_url: str | None, middleware: bool, into: Path) -> None:
    """Write a complete distribution for a backend or middleware."""
    if middleware and (wire or base_url):
        raise InvalidRequestError(f"--middleware and {'--wire' if wire else '--base-url'} exclude each other")
    form = "middleware" if middleware else wire or "openai"
    usual = f"https://api.{name.replace('_', '-')}.example{'/v1' if form == 'openai' else ''}"
    values = _values(name, base_url or usual, "middleware" if middleware else "backend")
    folder = into / values["distribution"]
    if folder.exists():
        raise ConfigError(f"{folder} exists already", hint="choose another name, or another folder with --into")
    files = _files(form, values)
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    emit(state, {"folder": str(folder), "files": sorted(files)}, lambda: write_line(str(folder)))
    note(state, f"next: cd {folder} && {develop_command()}")


def _values(name: str, base_url: str, kind: str) -> dict[str, str]:
    """Return what the templates want to know."""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise InvalidRequestError(
            f"NAME: {name!r} is no name for a plugin",
            hint="use lower-case letters and digits, such as acme or acme_lab",
        )
    if name in RESERVED:
        raise InvalidRequestError(
            f"NAME: {name!r} belongs to the distribution {RESERVED[name]}", hint="choose a name of your own"
        )
    if re.search(r'["\\\s]', base_url):
        raise InvalidRequestError(f"--base-url: {base_url!r} is not a URL")
    word = name.replace("-", "_")
    class_name = "".join([part.capitalize() for part in word.split("_")])
    version = metadata.version("ipfs-accel").split(".")
    return {
        "name": name,
        "distribution": f"ipfs-accel-{name.replace('_', '-')}",
        "package": f"ipfs_accel_{word}",
        "class_name": class_name,
        "kind": kind,
        "group": "middleware" if kind == "middleware" else "backends",
        "attribute": class_name if kind == "middleware" else "backend",
        "title": " ".join([part.capitalize() for part in word.split("_")]),
        "variable": word.upper(),
        "base_url": base_url.rstrip("/"),
        "core_version": f"{version[0]}.{version[1]}",
        "next_version": f"{version[0]}.{int(version[1]) + 1}",
    }


def _files(form: str, values: dict[str, str]) -> dict[str, str]:
    """Return path to content of everything that is written."""
    templates = resources.files("ipfs_accel") / "_templates"

    def fill(*parts: str) -> str:
        return Template(templates.joinpath(*parts).read_text(encoding="utf-8")).substitute(values)

    package = values["package"]
    return {
        "pyproject.toml": fill("pyproject.txt"),
        "README.md": fill(*(("middleware",) if form == "middleware" else ()), "readme.txt"),
        ".gitignore": "__pycache__/\n.venv/\n*.egg-info/\ndist/\n",
        f"src/{package}/__init__.py": fill(form, "module.txt"),
        f"src/{package}/py.typed": "",
        f"tests/test_{values['variable'].lower()}.py": fill(form, "test.txt"),
    }
