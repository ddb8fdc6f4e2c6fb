"""Figures as text, in the two forms that Prometheus reads.

Sources: https://prometheus.io/docs/instrumenting/exposition_formats/ (text, 0.0.4) and
https://prometheus.io/docs/specs/om/open_metrics_spec/ (OpenMetrics 1.0.0).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple, TypeAlias

__all__ = ["OPEN_METRICS", "TEXT", "Family", "Sample", "labels", "number", "wants_open_metrics", "written"]

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_OPEN = "application/openmetrics-text"
_PLAIN = ("text/plain", "text/*", "*/*")
_VERSIONS = frozenset({"version=1.0.0", "version=0.0.1"})
_BLOCK = 64 * 1024
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_UNITS = ("seconds", "bytes", "dollars", "tokens")

Sample: TypeAlias = tuple[str, str, str]
"""What follows the name of its family, its labels in braces or nothing, and its value."""


class Family(NamedTuple):
    """All series of one name.

    Attributes:
        name: Without `_total`, which samples of a counter have.
        kind: What its figures are; of an `info` the value is 1 and the labels count.
        help: What they say.
        samples: Made while they are written.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram", "info"]
    help: str
    samples: Iterable[Sample]


def labels(values: Mapping[str, str]) -> str:
    """Return labels in braces; nothing where there are none."""
    said = ",".join([f'{name}="{value.translate(_ESCAPES)}"' for name, value in values.items()])
    return f"{{{said}}}" if said else ""


def number(value: float) -> str:
    """Return a number in the form that both formats have."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def wants_open_metrics(accept: str) -> bool:
    """Whether a header `accept` prefers OpenMetrics to the older text, which is what everybody else gets."""
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        kind, *parameters = [each.strip() for each in part.split(";")]
        if kind == _OPEN and not _VERSIONS.issuperset(_named(parameters, "version")):
            continue
        weight = next(iter(_named(parameters, "q")), "q=1")
        try:
            weights[kind] = max(weights.get(kind, 0.0), float(weight[2:]))
        except ValueError:
            continue
    plain = max([weights.get(kind, 0.0) for kind in _PLAIN])
    return weights.get(_OPEN, 0.0) >= max(plain, 0.001)


def _named(parameters: list[str], name: str) -> list[str]:
    return [each.replace(" ", "") for each in parameters if each.partition("=")[0].strip() == name]


def written(families: Iterable[Family], *, is_open: bool) -> Iterator[bytes]:
    """Write families, in blocks: between two of them others may be served."""
    lines: list[str] = []
    size = 0
    for family in families:
        lines += _head(family, is_open=is_open)
        for suffix, said, value in family.samples:
            line = f"{family.name}{suffix}{said} {value}\n"
            lines.append(line)
            size += len(line)
            if size > _BLOCK:
                yield "".join(lines).encode()
                lines, size = [], 0
    if is_open:
        lines.append("# EOF\n")
    yield "".join(lines).encode()


def _head(family: Family, *, is_open: bool) -> list[str]:
    name, kind = family.name, family.kind
    if not is_open:  # where a family has the name of its samples, and knows no info
        name += {"counter": "_total", "info": "_info"}.get(kind, "")
        kind = "gauge" if kind == "info" else kind
    said = family.help.replace("\\", "\\\\").replace("\n", "\\n")
    lines = [f"# HELP {name} {said}\n", f"# TYPE {name} {kind}\n"]
    unit = name.rpartition("_")[2]
    if is_open and unit in _UNITS:
        lines.append(f"# UNIT {name} {unit}\n")
    return lines
