"""The report of `ipfs-accel doctor` as a block of text, fit for a bug report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .output import clean, write_line

__all__ = ["show"]


def show(report: Mapping[str, Any], *, hashes: bool) -> None:
    """Write the report.

    Args:
        report: As `--json` has it.
        hashes: Whether to show the hash of every file instead of those that differ.
    """
    _line("ipfs-accel", report["ipfs_accel"])
    _line("python", report["python"], f"({report['executable']})")
    _line("platform", report["platform"])
    _line("libraries", ", ".join([f"{name} {version or '-'}" for name, version in report["libraries"].items()]))
    _line("config", report["config"]["path"], "" if report["config"]["exists"] else "(absent)")
    names = ", ".join(report["keys"]["names"])
    _line("keys", report["keys"]["path"], f"({names})" if names else "" if report["keys"]["exists"] else "(absent)")
    for name, value in report["environment"].items():
        _line("environment", f"{name}={value}")
    for each in report["plugins"]:
        _show_plugin("plugin", each)
    _show_hosts(report["hosts"])
    for each in report["middleware"]:
        _show_plugin("middleware", each)
    for each in report["distributions"]:
        _show_files(each, hashes=hashes)
    for each in report["endpoints"]:
        _show_endpoint(each)
    for problem in report["problems"]:
        _line("problem", problem["message"])
        if problem["hint"]:
            _line("", f"hint: {problem['hint']}")
    if not report["problems"]:
        _line("problems", "none")


def _line(label: str, *parts: object) -> None:
    text = " ".join([str(part) for part in parts if part not in (None, "")])
    write_line(clean(f"{label:<14}{text}".rstrip()))


def _show_plugin(label: str, each: Mapping[str, Any]) -> None:
    origin = f"{each['distribution']} {each['version']}".strip()
    took = f"in {each['seconds']:.2f} s" if each["state"] == "loaded" and each["seconds"] is not None else None
    _line(
        label,
        each["name"],
        origin and f"({origin})",
        each["state"],
        took,
        each["file"] and f"from {each['file']}",
        each["reason"] and f"- {each['reason']}",
    )


def _show_hosts(hosts: Sequence[Mapping[str, Any]]) -> None:
    """Show those of which there may be many in a line; a problem tells of what is amiss with one."""
    known = [each for each in hosts if each["state"] in {"available", "loaded"}]
    if known:
        _line("hosts", f"{len(known)} known, set up:", ", ".join([e["name"] for e in known if e["set_up"]]) or "none")


def _show_files(each: Mapping[str, Any], *, hashes: bool) -> None:
    if each["altered"]:
        verdict = f"{each['altered']} not as recorded"
    elif each["editable"]:
        verdict = "run from a source tree, so that no record tells of them"
    else:
        verdict = "as recorded" if each["recorded"] else "there is no record to compare them with"
    _line("files", f"{each['name']} {each['version']}: {len(each['files'])} files, {verdict}")
    for file in each["files"]:
        changed = file["state"] in {"changed", "missing"} or (file["state"] == "unrecorded" and not each["editable"])
        if hashes or (changed and each["recorded"]):
            state = f"({file['state']}{', recorded ' + file['recorded'] if file['state'] == 'changed' else ''})"
            _line("file", file["actual"], file["path"], "" if file["state"] == "same" else state)


def _show_endpoint(each: Mapping[str, Any]) -> None:
    if each["error"]:
        _line("endpoint", each["name"], f"({each['backend']})", "-", each["error"])
        return
    where = f"{each['base_url'] or 'no base URL'} ({each['base_url_source']})"
    _line("endpoint", each["name"], f"({each['backend']})", where, f"key {each['key']} ({each['key_source']})")
    if each["local"]:
        _line("server", each["name"], *_server_words(each["local"]))
    if each["reach"]:
        _line("reach", each["name"], ", ".join(_reach_words(each["reach"])))


def _server_words(local: Mapping[str, Any]) -> tuple[str, ...]:
    program = f"({local['program']})" if local["program"] else "(no executable found)"
    if local["listens"]:
        return ("listens", program if local["program"] else "")
    return ("does not listen", program, f"- {local['advice']}")


def _reach_words(found: Mapping[str, Any]) -> list[str]:
    answer = f"HTTP {found['status']} in {found['seconds'] * 1000:.0f} ms" if found["reached"] else "not reached"
    tls, skew = found["tls"], found["clock_skew"]
    facts = [
        answer,
        found["server"] and f"server {found['server']}",
        tls and f"{tls['version']} verified, issued by {tls['issuer']}, {tls['days_left']:.0f} days left",
        None if skew is None else f"clock {skew:+.0f} s",
        found["proxy"] and f"proxy {found['proxy']}",
    ]
    return [fact for fact in facts if fact]
