"""`ipfs-accel doctor`: one block of text that tells how an installation is, fit for a bug report."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata, resources
from pathlib import Path
from typing import Any, TypeAlias

import click

import ipfs_accel
from ipfs_accel._config.config import Config
from ipfs_accel._config.keys import KeyFile
from ipfs_accel._config.paths import is_there
from ipfs_accel._endpoints.target import Target
from ipfs_accel._plugins.local import look
from ipfs_accel._plugins.names import reserved
from ipfs_accel._plugins.registry import PluginRecord
from ipfs_accel._url import is_here, masked_url
from ipfs_accel.errors import AccelError
from ipfs_accel.installing import reinstall_command, upgrade_command

from . import failures
from .command import Command, State, pass_state
from .config import config_path
from .doctor_text import show
from .inspect import Inspection, Loaded, backend_of
from .origin import Origin, module_file, origin_of
from .output import emit, note, write_line
from .values import plain

__all__ = ["doctor"]

_LIBRARIES = (
    "anyio",
    "attrs",
    "cattrs",
    "click",
    "httpcore",
    "httptools",
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
_MOST_NAMES = 5

Problem: TypeAlias = dict[str, str | None]
"""`message`, and `hint` where there is one."""


@click.command(
    cls=Command,
    short_help="Examine the installation.",
    help="Examine the installation: versions, configuration, keys, each plugin, loaded in its own guard, and whether "
    "the files of the distributions are as they were installed and the servers of this machine listen. No server is "
    "asked anything without --reach. The exit code is 1 if anything is broken. What is shown holds no key.",
    examples=(
        "ipfs-accel doctor",
        "ipfs-accel doctor --reach",
        "ipfs-accel doctor --json | jq .problems",
        "ipfs-accel doctor --schema > doctor.schema.json",
    ),
)
@click.option(
    "--reach",
    "asks",
    is_flag=True,
    help="Ask the server of each endpoint that has a key or a setting, without the key: TLS, clock, proxy.",
)
@click.option("--hashes", is_flag=True, help="Show the hash of every file, not only of those that have changed.")
@click.option("--schema", is_flag=True, help="Write the JSON Schema of what --json writes, and do nothing else.")
@pass_state
def doctor(state: State, asks: bool, hashes: bool, schema: bool) -> None:
    """Examine the installation."""
    if schema:
        write_line((resources.files("ipfs_accel._cli") / "doctor.schema.json").read_text(encoding="utf-8").rstrip())
        return
    report = _examine(state, asks=asks)
    emit(state, report, lambda: show(report, hashes=hashes))
    if asks and not any(each["reach"] for each in report["endpoints"]):
        note(state, "no server was asked: no endpoint has a key or a setting")
    if report["problems"]:
        raise click.exceptions.Exit(failures.FAILURE)


def _examine(state: State, *, asks: bool) -> dict[str, Any]:
    problems: list[Problem] = []
    try:
        config = state.load_config()
    except AccelError as error:
        problems.append(_problem("", error.message, error.hint))
        config = Config()
    inspection = Inspection(config, state)
    endpoints = [_endpoint(inspection, name) for name in inspection.endpoints]
    plugins = [_plugin(record, loaded) for record, loaded in inspection.plugins()]
    problems += [_plugin_problem(each) for each in plugins if each["state"] in _BROKEN or _is_taken(each)]
    hosts = [_plugin(each, None) | {"set_up": each.name in inspection.set_up} for each in inspection.hosts()]
    problems += [_plugin_problem(each, "host") for each in hosts if each["state"] in _BROKEN or _is_taken(each)]
    middleware = [_plugin(record, None) for record in inspection.middleware]
    problems += [_middleware_problem(each) for each in middleware if each["state"] in _BROKEN]
    distributions = _distributions([*plugins, *hosts, *middleware], problems)
    broken = {each["name"] for each in (*plugins, *hosts) if each["state"] in _BROKEN}
    problems += [
        _problem(f"endpoint {each['name']}", each["error"], each["hint"])
        for each in endpoints
        if each["error"] and each["backend"] not in broken
    ]
    keys = _key_file(problems)
    if asks:
        _reach(endpoints, config, problems)
    path = config_path(state)
    return {
        "ipfs_accel": _version("ipfs-accel"),
        "python": platform.python_version(),
        "executable": _short(sys.executable),
        "platform": platform.platform(),
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "config": {"path": _short(path), "exists": is_there(path)},
        "keys": keys,
        "environment": _environment(config),
        "plugins": plugins,
        "hosts": hosts,
        "middleware": middleware,
        "distributions": distributions,
        "endpoints": endpoints,
        "problems": problems,
    }


def _problem(about: str, message: str, hint: str | None) -> Problem:
    return {"message": f"{about}: {message}" if about else message, "hint": hint}


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
    file = module_file(_module(record.entry_point)) if record.entry_point else None
    return facts | {"file": file and _short(file)}


def _module(entry_point: str) -> str:
    return entry_point.partition(":")[0]


def _is_taken(plugin: Mapping[str, Any]) -> bool:
    """Whether it registers a name that is not its own; what the configuration leaves out has its own reason."""
    return bool(plugin["reason"] == reserved(plugin["name"]))


def _plugin_problem(plugin: Mapping[str, Any], kind: str = "plugin") -> Problem:
    name, distribution = plugin["name"], plugin["distribution"]
    hint = f"leave it out with IPFS_ACCEL_DISABLE_PLUGINS={name}"
    if _is_taken(plugin):
        reason = f"the distribution {distribution} registers it and is not used: {plugin['reason']}"
        return _problem(f"{kind} {name}", reason, f"uninstall {distribution}, or name it in deny of [plugins]")
    if plugin["state"] == "duplicate":
        hint = "uninstall one of them, or name one in deny of [plugins] in the configuration"
    elif distribution:
        hint = f"run: {upgrade_command(distribution)}; or {hint}"
    return _problem(f"{kind} {name}", plugin["reason"], hint)


def _middleware_problem(middleware: Mapping[str, Any]) -> Problem:
    name = middleware["name"]
    hint = f"every call fails until it loads; IPFS_ACCEL_DISABLE_PLUGINS={name} leaves it out"
    return _problem(f"middleware {name}", middleware["reason"], hint)


def _distributions(plugins: Iterable[Mapping[str, Any]], problems: list[Problem]) -> list[dict[str, Any]]:
    """Hash the files of the core and of whatever brings plugins."""
    modules: dict[str, set[Path]] = {"ipfs-accel": {Path(ipfs_accel.__file__)}}
    for plugin in plugins:
        if plugin["distribution"]:
            module = _module(plugin["entry_point"])
            file = module_file(module.partition(".")[0]) or module_file(module)
            modules.setdefault(plugin["distribution"], set()).update([file] if file else [])
    origins = [origin for name, found in sorted(modules.items()) if (origin := origin_of(name, found))]
    for origin in origins:
        if origin.altered:
            names = ", ".join([f"{_short(each.path)} ({each.state})" for each in origin.altered[:_MOST_NAMES]])
            more = len(origin.altered) - _MOST_NAMES
            problems.append(
                _problem(
                    f"distribution {origin.name}",
                    f"not as it was installed: {names}" + (f" and {more} more" if more > 0 else ""),
                    f"run: {reinstall_command(origin.name, origin.version)}",
                )
            )
    return [_distribution(origin) for origin in origins]


def _distribution(origin: Origin) -> dict[str, Any]:
    files = [plain(each) | {"path": _short(each.path), "state": each.state} for each in origin.files]
    facts: dict[str, Any] = plain(origin)
    return facts | {"location": _short(origin.location), "altered": len(origin.altered), "files": files}


def _endpoint(inspection: Inspection, name: str) -> dict[str, Any]:
    facts = dict.fromkeys(("base_url", "base_url_source", "key", "key_source", "local", "error", "hint", "reach"))
    target = inspection.target(name)
    if isinstance(target, AccelError):
        known = {"name": name, "backend": backend_of(inspection.config, name)}
        return facts | known | {"error": target.message, "hint": target.hint}
    url, url_source = target.sources["base_url"]
    key, key_source = target.sources["key"]
    return facts | {
        "name": name,
        "backend": target.backend.name,
        "base_url": masked_url(url),
        "base_url_source": url_source,
        "key": key,
        "key_source": key_source,
        "local": _local(target),
    }


def _local(target: Target) -> dict[str, Any] | None:
    """Tell how the server of an endpoint is, if that is one which people run themselves, on this machine."""
    local, url = target.backend.info.local, target.endpoint.base_url
    if local is None or not is_here(url):
        return None
    state = look(local, url)
    program = state.program and _short(state.program)
    return {"listens": state.listens, "program": program, "advice": state.advice}


def _reach(endpoints: Iterable[dict[str, Any]], config: Config, problems: list[Problem]) -> None:
    """Ask the servers of the endpoints that somebody has set up."""
    from .reach import reach  # noqa: PLC0415 - the HTTP library is loaded when it is needed

    chosen = [
        each
        for each in endpoints
        if each["base_url"]
        and (each["key"] == "set" or each["base_url_source"] != "default" or each["name"] in config.endpoints)
    ]
    try:
        found = reach([each["base_url"] for each in chosen], config)
    except AccelError as error:
        problems.append(_problem("proxy", error.message, error.hint))
        return
    for each in chosen:
        result = found[each["base_url"]]
        each["reach"] = plain(result)
        if result.problem:
            problems.append(_problem(f"endpoint {each['name']}", result.problem, result.hint))


def _key_file(problems: list[Problem]) -> dict[str, Any]:
    key_file = KeyFile.default()
    names: list[str] = []
    try:
        names = key_file.names()
        for name in names:
            key_file.get(name)
    except AccelError as error:
        problems.append(_problem("", error.message, error.hint))
    return {"path": _short(key_file.path), "exists": is_there(key_file.path), "names": names}


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
    text, home = str(path), os.path.expanduser("~")  # noqa: PTH111 - which never fails
    return f"~{text.removeprefix(home)}" if home != "/" and text.startswith(f"{home}{os.sep}") else text
