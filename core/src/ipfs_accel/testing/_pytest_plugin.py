"""The pytest plugin: waives tests of a contract with their reasons, and reports what was proven.

pytest loads it in every project of an environment with ipfs-accel, so it imports nothing before a contract is there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

_ROWS = pytest.StashKey[list[dict[str, Any]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("ipfs-accel").addoption(
        "--contract-report",
        metavar="FILE",
        help="write what the tests of BackendContract classes proved: JSON, or a table if FILE ends in .md",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin a report."""
    config.stash[_ROWS] = []


def _contract_of(item: pytest.Item) -> Any:
    """Return the contract class of a test, or None."""
    loaded = sys.modules.get("ipfs_accel.testing.contract")
    kind = getattr(item, "cls", None)
    return kind if loaded and isinstance(kind, type) and issubclass(kind, loaded.BackendContract) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is waived; refuse waivers without a reason, and contract tests that were replaced."""
    for item in items:
        contract = _contract_of(item)
        if contract is None:
            continue
        name = getattr(item, "originalname", item.name)
        base = sys.modules["ipfs_accel.testing.contract"].BackendContract
        if hasattr(base, name) and getattr(contract, name) is not getattr(base, name):
            raise pytest.UsageError(f"{item.nodeid}: a contract test may not be replaced; waive it with its reason")
        for waived in (name, item.name):
            if waived in contract.waived:
                reason = contract.waived[waived].strip()
                if not reason:
                    raise pytest.UsageError(f"{item.nodeid}: it is waived without a reason")
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note how each test of a contract went."""
    report = yield
    contract = _contract_of(item)
    if contract is not None and (report.when == "call" or report.outcome != "passed"):
        waiver = getattr(report, "wasxfail", None)
        item.config.stash[_ROWS].append(
            {
                "contract": contract.__name__,
                "test": item.name,
                "outcome": "waived" if waiver is not None and report.skipped else report.outcome,
                "reason": waiver or None,
                "seconds": round(report.duration, 3),
            }
        )
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report."""
    target = session.config.getoption("--contract-report")
    if target:
        from importlib import metadata  # noqa: PLC0415 - as in the module's docstring

        rows = session.config.stash[_ROWS]
        version = metadata.version("ipfs-accel")
        path = Path(target)
        text = (
            _table(rows, version)
            if path.suffix == ".md"
            else json.dumps({"ipfs-accel": version, "tests": rows}, indent=1)
        )
        path.write_text(text + "\n", encoding="utf-8")


def _table(rows: list[dict[str, Any]], version: str) -> str:
    """Return one line a contract and test, parameters summed up."""
    sums: dict[tuple[str, str], dict[str, int]] = {}
    for row in rows:
        counts = sums.setdefault((row["contract"], row["test"].partition("[")[0]), {})
        counts[row["outcome"]] = counts.get(row["outcome"], 0) + 1
    lines = [f"Contract of ipfs-accel {version}", "", "| contract | test | passed | failed | skipped | waived |"]
    lines.append("|---|---|---|---|---|---|")
    for (contract, test), counts in sums.items():
        numbers = " | ".join(str(counts.get(outcome, 0)) for outcome in ("passed", "failed", "skipped", "waived"))
        lines.append(f"| {contract} | {test} | {numbers} |")
    waived = [row for row in rows if row["outcome"] == "waived"]
    lines += ["", *[f"- waived: {row['contract']}.{row['test']}: {row['reason']}" for row in waived]]
    return "\n".join(lines).rstrip()
