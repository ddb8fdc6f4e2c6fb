"""`ipfs-accel doctor`: one block of text that tells how an installation is, fit for a bug report."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from ipfs_accel._config import Config
from ipfs_accel._endpoints import Target
from ipfs_accel._keys import KeyFile
from ipfs_accel._local import is_here, look
from ipfs_accel._registry import PluginRecord
from ipfs_accel.errors import AccelError

from . import _failures
from ._command import Command, State, pass_state
from ._config import config_path
from ._inspect import Inspection, Loaded, backend_of, masked_url
from ._output import clean, emit, write_line
from ._values import plain

__all__ = ["doctor"]

_LIBRARIES = (
    "anyio",
    "attrs",
    "cattrs",
    "click",
    "h11",
    "httpcore",
    "httpx",
    "httpx2",
    "orjson",
    "platformdirs",
    "pluggy",
    "rich",
    "structlog",
)
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD")
_BROKEN = {"broken", "duplicate", "incompatible", "slow"}


@click.command(
    cls=Command,
    short_help="Examine the installation.",
    help="Examine the installation: versions, configuration, keys, each plugin, loaded in its own guard, and whether "
    "the servers of this machine listen. No server is asked anything; health does that. The exit code is 1 if anything "
    "is broken. What is shown holds no key.",
    examples=("ipfs-accel doctor", "ipfs-accel doctor --json | jq .problems"),
)
@pass_state
def doctor(state: State) -> None:
    """Examine the installation."""
    report = _examine(state)
    emit(state, report, lambda: _show(report))
    if report["problems"]:
        raise click.exceptions.Exit(_failures.FAILURE)


def _examine(state: State) -> dict[str, Any]:
    problems: list[str] = []
    try:
        config = state.load_config()
    except AccelError as error:
        problems.append(error.message)
        config = Config()
    inspection = Inspection(config, state)
    plugins = [_plugin(record, loaded) for record, loaded in inspection.plugins()]
    problems += [f"plugin {each['name']}: {each['reason']}" for each in plugins if each["state"] in _BROKEN]
    endpoints = [_endpoint(inspection, name) for name in inspection.endpoints]
    broken = {each["name"] for each in plugins if each["state"] in _BROKEN}
    problems += [
        f"endpoint {each['name']}: {each['error']}"
        for each in endpoints
        if each["error"] and each["backend"] not in broken
    ]
    keys = _key_file(problems)
    path = config_path(state)
    return {
        "ipfs_accel": _version("ipfs-accel"),
        "python": platform.python_version(),
        "executable": _short(sys.executable),
        "platform": platform.platform(),
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "config": {"path": _short(path), "exists": path.exists()},
        "keys": keys,
        "environment": _environment(config),
        "plugins": plugins,
        "endpoints": endpoints,
        "problems": problems,
    }


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _plugin(record: PluginRecord, loaded: Loaded | None) -> dict[str, Any]:
    facts: dict[str, Any] = plain(record) | {"seconds": round(loaded.seconds, 3) if loaded else None}
    if loaded is not None and loaded.error is not None and record.state == "available":
        # It is still importing; what it would have become, nobody knows.
        facts |= {"state": "slow", "reason": loaded.error.message}
    return facts


def _endpoint(inspection: Inspection, name: str) -> dict[str, Any]:
    target = inspection.target(name)
    if isinstance(target, AccelError):
        return {"name": name, "backend": backend_of(inspection.config, name), "error": target.message}
    url, url_source = target.sources["base_url"]
    key, key_source = target.sources["key"]
    return {
        "name": name,
        "backend": target.backend.name,
        "base_url": masked_url(url),
        "base_url_source": url_source,
        "key": key,
        "key_source": key_source,
        "local": _local(target),
        "error": None,
    }


def _local(target: Target) -> dict[str, Any] | None:
    """Tell how the server of an endpoint is, if that is one which people run themselves, on this machine."""
    local, url = target.backend.info.local, target.endpoint.base_url
    if local is None or not is_here(url):
        return None
    state = look(local, url)
    return plain(state) | {"program": state.program and _short(state.program)}  # type: ignore[no-any-return]


def _key_file(problems: list[str]) -> dict[str, Any]:
    key_file = KeyFile.default()
    names: list[str] = []
    try:
        names = key_file.names()
        for name in names:
            key_file.get(name)
    except AccelError as error:
        problems.append(error.message)
    return {"path": _short(key_file.path), "exists": key_file.path.exists(), "names": names}


def _environment(config: Config) -> dict[str, str]:
    """Return what of the environment and configuration changes where requests go; no credentials."""
    found = {name: os.environ[name] for name in _CERTIFICATES if os.environ.get(name)}
    for name in _PROXIES:
        for variable in (name, name.upper()):
            if os.environ.get(variable):
                found[variable] = masked_url(os.environ[variable])
    own = {name: value for name, value in os.environ.items() if name.startswith("IPFS_ACCEL_")}
    found |= {name: "set" if _SECRET_NAME.search(name) else masked_url(value) for name, value in own.items()}
    if config.proxy:
        found["proxy (configured)"] = masked_url(config.proxy)
    return dict(sorted(found.items()))


def _short(path: str | Path) -> str:
    """Return a path without the user's name, since reports are shared."""
    text, home = str(path), str(Path.home())
    return f"~{text.removeprefix(home)}" if home != "/" and text.startswith(f"{home}{os.sep}") else text


def _show(report: Mapping[str, Any]) -> None:
    def line(label: str, *parts: object) -> None:
        text = " ".join([str(part) for part in parts if part not in (None, "")])
        write_line(clean(f"{label:<14}{text}".rstrip()))

    line("ipfs-accel", report["ipfs_accel"])
    line("python", report["python"], f"({report['executable']})")
    line("platform", report["platform"])
    line("libraries", ", ".join([f"{name} {version or '-'}" for name, version in report["libraries"].items()]))
    line("config", report["config"]["path"], "" if report["config"]["exists"] else "(absent)")
    names = ", ".join(report["keys"]["names"])
    line("keys", report["keys"]["path"], f"({names})" if names else "" if report["keys"]["exists"] else "(absent)")
    for name, value in report["environment"].items():
        line("environment", f"{name}={value}")
    for each in report["plugins"]:
        origin = f"{each['distribution']} {each['version']}".strip()
        took = f"in {each['seconds']:.2f} s" if each["state"] == "loaded" and each["seconds"] is not None else None
        line(
            "plugin",
            each["name"],
            origin and f"({origin})",
            each["state"],
            took,
            each["reason"] and f"- {each['reason']}",
        )
    for each in report["endpoints"]:
        if each["error"]:
            line("endpoint", each["name"], f"({each['backend']})", "-", each["error"])
        else:
            where = f"{each['base_url']} ({each['base_url_source']})"
            line("endpoint", each["name"], f"({each['backend']})", where, f"key {each['key']} ({each['key_source']})")
            if each["local"]:
                line("server", each["name"], *_server_words(each["local"]))
    for problem in report["problems"]:
        line("problem", problem)
    if not report["problems"]:
        line("problems", "none")


def _server_words(local: Mapping[str, Any]) -> tuple[str, ...]:
    program = f"({local['program']})" if local["program"] else "(no executable found)"
    if local["listens"]:
        return ("listens", program if local["program"] else "")
    return ("does not listen", program, f"- {local['advice']}")
