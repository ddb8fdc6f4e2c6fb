"""The command that installs something where this process runs, for hints; it depends on what made the environment.

Sources: uv's receipt of a tool, https://docs.astral.sh/uv/concepts/tools/, and pipx's metadata,
https://pipx.pypa.io/stable/explanation/how-pipx-works/.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import parse_qs

__all__ = ["develop_command", "install_command", "reinstall_command", "upgrade_command"]

_Way: TypeAlias = Literal["pip", "uv pip", "uv project", "uv tool", "uvx", "uv run", "pipx", "pipx run"]

_APP = "ipfs-accel"
_UPGRADE: Mapping[_Way, str] = {
    "pip": "pip install --upgrade {name}",
    "uv pip": "uv pip install --upgrade {name}",
    "uv project": "uv sync --upgrade-package {name}",
    "uv tool": "uv tool upgrade {tool}",
    "uvx": "uvx --refresh --with {name} ipfs-accel",
    "uv run": "uv run --refresh --with {name} …",
    "pipx": "pipx upgrade --include-injected {tool}",
    "pipx run": "pipx run --no-cache --with {name} ipfs-accel",
}
_REINSTALL: Mapping[_Way, str] = {
    "pip": "pip install --force-reinstall --no-deps {name}=={version}",
    # uv links files to those of its cache, so that what was altered here may be altered there.
    "uv pip": "uv cache clean {name} && uv pip install --reinstall --no-deps {name}=={version}",
    "uv project": "uv cache clean {name} && uv sync --reinstall-package {name}",
    "uv tool": "uv cache clean {name} && uv tool upgrade --reinstall-package {name} {tool}",
    "uvx": "uv cache clean {name} && uv cache prune",
    "uv run": "uv cache clean {name} && uv cache prune",
    "pipx": "pipx reinstall {tool}",
    "pipx run": "pipx run --no-cache --with {name} ipfs-accel",
}
_CREDENTIALS = re.compile(r"(?<=//)[^/\s]+@")


def install_command(requirement: str, addition: str | None = None) -> str:
    """Return the command that installs something beside what is here.

    Args:
        requirement: As pip takes it, such as `ipfs-accel[groq]`.
        addition: The same where an environment belongs to one tool and others are added to it, such as
            `ipfs-accel-groq`; None means the requirement.
    """
    added = _quoted(addition or requirement)
    way = _way()
    if way == "uv tool":
        tool, *others = _tool_requirements()
        # What an earlier call of the command added is dropped unless it is named again.
        return " ".join(["uv tool install", tool, *[f"--with{each}" for each in others], "--with", added])
    return {
        "pip": f"pip install {_quoted(requirement)}",
        "uv pip": f"uv pip install {_quoted(requirement)}",
        "uv project": f"uv add {_quoted(requirement)}",
        "uvx": f"uvx --with {added} {_APP}",
        "uv run": f"uv run --with {added} …",
        # Without --force, pipx leaves alone what is there already in another form.
        "pipx": f"pipx inject {'--force ' if '[' in added else ''}{_tool()} {added}",
        "pipx run": f"pipx run --with {added} {_APP}",
    }[way]


def develop_command() -> str:
    """Return the command that runs the tests of a distribution in whose folder it is given."""
    return "uv run --extra test pytest" if _way().startswith("uv") else 'pip install -e ".[test]" && pytest'


def upgrade_command(distribution: str) -> str:
    """Return the command that brings a distribution to its newest version."""
    return _UPGRADE[_way()].format(name=distribution, tool=_tool())


def reinstall_command(distribution: str, version: str) -> str:
    """Return the command that restores the files of a distribution."""
    return _REINSTALL[_way()].format(name=distribution, version=version, tool=_tool())


def _way() -> _Way:
    prefix = Path(sys.prefix)
    if (prefix / "uv-receipt.toml").is_file():
        return "uv tool"
    if (prefix / "pipx_metadata.json").is_file():
        return "pipx" if prefix.parent.name == "venvs" else "pipx run"
    if not _is_made_by_uv(prefix):
        return "pip"
    if re.fullmatch(r"(archive|builds|environments)-v\d+", prefix.parent.name):
        return "uv run" if "UV_RUN_RECURSION_DEPTH" in os.environ else "uvx"
    from importlib.util import find_spec  # noqa: PLC0415 - needed for hints alone

    if find_spec("pip") is not None:
        return "pip"
    return "uv project" if (prefix.parent / "uv.lock").is_file() else "uv pip"


def _is_made_by_uv(prefix: Path) -> bool:
    try:
        return re.search(r"(?m)^uv *=", (prefix / "pyvenv.cfg").read_text(encoding="utf-8")) is not None
    except (OSError, UnicodeDecodeError):
        return False


def _tool() -> str:
    """Return the name of the tool that the environment belongs to, which both programs call its folder by."""
    return Path(sys.prefix).name


def _tool_requirements() -> list[str]:
    """Return what the tool was installed with, as arguments: the tool itself, then what follows each `--with`."""
    import tomllib  # noqa: PLC0415 - tools that uv installed have such a file alone

    try:
        receipt = tomllib.loads((Path(sys.prefix) / "uv-receipt.toml").read_text(encoding="utf-8"))
        tool, *others = receipt["tool"]["requirements"]
        is_editable = "editable" in tool
        return [
            ("--editable " if is_editable else "") + _quoted(_argument(tool)),
            *[("-editable " if "editable" in each else " ") + _quoted(_argument(each)) for each in others],
        ]
    except (OSError, ValueError, LookupError, TypeError):
        return [_tool()]


def _argument(requirement: Mapping[str, Any]) -> str:
    """Return an entry of the receipt as the command line takes it."""
    extras = f"[{','.join(requirement['extras'])}]" if requirement.get("extras") else ""
    name = f"{requirement['name']}{extras}"
    folder = requirement.get("editable") or requirement.get("directory")
    if folder:
        return f"{folder}{extras}"
    marker = f" ; {requirement['marker']}" if requirement.get("marker") else ""
    where = requirement.get("url") or requirement.get("path")
    if requirement.get("git"):
        address, _, query = requirement["git"].partition("?")
        given = parse_qs(query)
        revision = next((f"@{given[each][0]}" for each in ("rev", "tag", "branch") if each in given), "")
        fragment = f"#subdirectory={given['subdirectory'][0]}" if "subdirectory" in given else ""
        where = f"git+{address}{revision}{fragment}"
    if where:
        return f"{name} @ {_CREDENTIALS.sub('***@', where)}{marker}"
    return f"{name}{requirement.get('specifier', '')}{marker}"


def _quoted(argument: str) -> str:
    """Return an argument as every shell takes it."""
    return argument if re.fullmatch(r"[\w./:@=+-]+", argument) else f'"{argument}"'
