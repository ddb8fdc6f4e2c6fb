"""The public API: what is exported, documented and typed."""

from __future__ import annotations

import importlib
import subprocess
import sys

import ipfs_accel
import pytest

PUBLIC = [
    "ipfs_accel",
    "ipfs_accel.capabilities",
    "ipfs_accel.errors",
    "ipfs_accel.hookspecs",
    "ipfs_accel.middleware",
    "ipfs_accel.plans",
    "ipfs_accel.types",
    "ipfs_accel.wire.assembler",
    "ipfs_accel.wire.ndjson",
    "ipfs_accel.wire.openai",
    "ipfs_accel.wire.sse",
]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_exported_name_exists_and_has_a_docstring(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    for each in getattr(module, "__all__", ()):
        value = getattr(module, each)
        if isinstance(value, type):
            assert value.__doc__, each


def test_the_lazy_table_and_the_list_of_names_agree() -> None:
    assert sorted(name for names in ipfs_accel._HOMES.values() for name in names) == sorted(dir(ipfs_accel))
    assert sorted({*ipfs_accel.__all__, "__version__"}) == sorted(dir(ipfs_accel))
    assert ipfs_accel.__version__ == "0.1.0"
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = ipfs_accel.no_such_name


def run(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


def test_importing_loads_no_plugin_and_nothing_heavy() -> None:
    heavy = (
        "{'httpx', 'httpcore', 'cattrs', 'structlog', 'anyio', 'click', 'rich', 'ipfs_accel_openai', 'ipfs_accel_llvm'}"
    )
    assert run(f"import sys, ipfs_accel; print(sorted({heavy} & set(sys.modules)))") == "[]\n"
    assert run(f"import sys, ipfs_accel; ipfs_accel.Client(); print(sorted({heavy} & set(sys.modules)))") == "[]\n"
