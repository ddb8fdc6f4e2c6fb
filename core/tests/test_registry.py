from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ipfs_accel import Client, Config, PluginPolicy
from ipfs_accel._plugins.names import RESERVED
from ipfs_accel._plugins.registry import Registry
from ipfs_accel.errors import PluginError
from ipfs_accel.installing import install_command

if TYPE_CHECKING:
    from .conftest import Install


def states(registry: Registry) -> dict[str, str]:
    """The states of all plugins but our own, some of which are installed where the tests run."""
    return {
        record.name: record.state for record in registry.records() if not record.distribution.startswith("ipfs-accel-")
    }


def test_a_plugin_is_found_without_being_imported(install: Install) -> None:
    install("acme")
    registry = Registry(PluginPolicy())
    assert states(registry) == {"acme": "available"}
    assert "plugin_acme_acme" not in sys.modules


def test_a_plugin_is_loaded_when_it_is_used(install: Install) -> None:
    install("acme")
    registry = Registry(PluginPolicy())
    backend = registry.load("acme")
    assert backend.operations == {"healthcheck"}
    assert states(registry) == {"acme": "loaded"}
    assert registry.load("acme") is backend


BROKEN = {
    "raises at import": ("raise RuntimeError('boom')", "broken", "RuntimeError: boom"),
    "exits at import": ("raise SystemExit(3)", "broken", "SystemExit: 3"),
    "does not parse": ("def", "broken", "SyntaxError"),
    "says no version": ("", "incompatible", "api_version = 1"),
    "is too old": ("api_version = 0", "incompatible", "upgrade the plugin"),
    "is too new": ("api_version = 2", "incompatible", "upgrade ipfs-accel"),
    "describes nothing": ("api_version = 1", "broken", "describe"),
    "describes another name": (
        """
        from ipfs_accel import BackendInfo, hookimpl
        api_version = 1
        @hookimpl
        def describe(): return BackendInfo(name="other")
        """,
        "broken",
        "describes itself as 'other'",
    ),
    "has a wrong signature": (
        """
        from ipfs_accel import BackendInfo, hookimpl
        api_version = 1
        @hookimpl
        def describe(): return BackendInfo(name="bad")
        @hookimpl
        def chat(endpoint, question): ...
        """,
        "broken",
        "question",
    ),
    "has an unknown hook": (
        """
        from ipfs_accel import BackendInfo, hookimpl
        api_version = 1
        @hookimpl
        def describe(): return BackendInfo(name="bad")
        @hookimpl
        def chatt(endpoint, request): ...
        """,
        "broken",
        "chatt",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_bad_plugin_is_a_state_with_a_reason_and_touches_no_other(case: str, install: Install) -> None:
    source, state, reason = BROKEN[case]
    install("bad", source)
    install("good")
    registry = Registry(PluginPolicy())
    with pytest.raises(PluginError, match=r"acme-bad 1\.2") as caught:
        registry.load("bad")
    record = registry.record("bad")
    assert record is not None
    assert record.state == state
    assert reason in (record.reason or "")
    assert caught.value.hint == "run: ipfs-accel doctor"
    assert registry.load("good").name == "good"


def test_a_plugin_that_blocks_at_import_delays_nobody(install: Install) -> None:
    reader, writer = os.pipe()
    install("slow", f"import os\nos.read({reader}, 1)")
    install("good")
    registry = Registry(PluginPolicy())
    try:
        with pytest.raises(PluginError, match=r"still importing after 0\.1 s"):
            registry.load("slow", limit=0.1)
        assert registry.load("good", limit=60).name == "good"
    finally:
        os.close(writer)  # ends the import


def test_two_distributions_of_one_name_are_both_named_and_neither_loads(install: Install) -> None:
    install("twin", distribution="first-twin")
    install("twin", distribution="second-twin")
    registry = Registry(PluginPolicy())
    assert states(registry) == {"twin": "duplicate"}
    with pytest.raises(PluginError, match="first-twin and second-twin both register"):
        registry.load("twin")


@pytest.fixture
def reserved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of ours whose distribution is certainly not installed."""
    monkeypatch.setitem(RESERVED, "ours", "ipfs-accel-ours")


@pytest.mark.usefixtures("reserved")
def test_a_stranger_cannot_take_the_name_of_our_own_backend(install: Install) -> None:
    install("ours", distribution="evil-ours")
    registry = Registry(PluginPolicy())
    assert states(registry) == {"ours": "blocked"}
    with pytest.raises(PluginError, match="reserved for the distribution ipfs-accel-ours"):
        registry.load("ours")


@pytest.mark.usefixtures("reserved")
def test_every_stranger_that_registers_a_name_of_ours_is_told_of_and_ours_is_used(install: Install) -> None:
    for distribution in ("evil-ours", "ipfs-accel-ours", "other-ours"):
        install("ours", distribution=distribution)
    registry = Registry(PluginPolicy(deny=("other-ours",)))
    records = [record for record in registry.records() if record.name == "ours"]
    assert [(record.distribution, record.state, record.reason) for record in records] == [
        ("ipfs-accel-ours", "available", None),
        ("evil-ours", "blocked", "the name 'ours' is reserved for the distribution ipfs-accel-ours"),
        ("other-ours", "blocked", "plugins.deny or IPFS_ACCEL_DISABLE_PLUGINS names it"),
    ]
    assert registry.load("ours").name == "ours"
    assert "plugin_evil_ours" not in sys.modules


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (PluginPolicy(deny=("acme",)), "blocked"),
        (PluginPolicy(deny=("acme-acme",)), "blocked"),
        (PluginPolicy(allow=()), "blocked"),
        (PluginPolicy(allow=("acme-acme",)), "available"),
        (PluginPolicy(allow=("acme",), deny=("acme",)), "blocked"),
    ],
)
def test_policy_decides_what_may_load(policy: PluginPolicy, expected: str, install: Install) -> None:
    install("acme")
    assert states(Registry(policy)) == {"acme": expected}


def test_environment_variables_are_policy_too(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("acme")
    monkeypatch.setenv("IPFS_ACCEL_DISABLE_PLUGINS", "acme")
    with Client() as client:
        assert "acme" not in client.endpoints()


@pytest.mark.usefixtures("reserved")
def test_an_unknown_backend_of_ours_says_what_to_install() -> None:
    with pytest.raises(PluginError) as caught:
        Registry(PluginPolicy()).load("ours")
    assert caught.value.hint == f"run: {install_command('ipfs-accel[ours]', 'ipfs-accel-ours')}"


@pytest.mark.usefixtures("reserved")
def test_the_second_backend_of_a_distribution_of_ours_is_in_the_extra_of_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(RESERVED, "cloud", "ipfs-accel-ours")
    with pytest.raises(PluginError) as caught:
        Registry(PluginPolicy()).load("cloud")
    assert caught.value.hint == f"run: {install_command('ipfs-accel[ours]', 'ipfs-accel-ours')}"


def test_an_unknown_backend_gives_near_names(install: Install) -> None:
    install("acme")
    with pytest.raises(PluginError) as caught:
        Registry(PluginPolicy()).load("acne")
    assert caught.value.hint == "did you mean 'acme'?"


RAISING_HOOK = """
from ipfs_accel import BackendInfo, hookimpl

api_version = 1

@hookimpl
def describe():
    return BackendInfo(name="{name}", base_url="http://127.0.0.1:9")

@hookimpl
def chat(endpoint, request):
    raise KeyError("oops")

@hookimpl
def embed(endpoint, request):
    return "not a plan"
"""


def test_a_hook_that_raises_is_the_plugins_fault(install: Install) -> None:
    install("acme", RAISING_HOOK)
    with Client() as client:
        with pytest.raises(PluginError, match=r"'acme' failed while planning 'chat': KeyError: 'oops'") as caught:
            client.chat("acme/m", "hi")
        assert isinstance(caught.value.__cause__, KeyError)
        with pytest.raises(PluginError, match="planned as str, which is no plan"):
            client.embed("acme/m", "hi")


MIDDLEWARE = """
import pluggy
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.hookspecs import PROJECT

hookimpl = pluggy.HookimplMarker(PROJECT)
api_version = 1

@hookimpl(tryfirst=True)
def healthcheck(endpoint):
    raise InvalidRequestError("the guard says no")
"""


def test_middleware_loads_only_when_it_is_named(install: Install, tmp_path: Path) -> None:
    site = install("acme")
    (site / "guard.py").write_text(MIDDLEWARE)
    info = site / "acme_guard-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-guard\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ipfs_accel.middleware]\nguard = guard\n")
    with Client() as client:
        assert client.healthcheck("acme").status == "ok"
    with Client(Config(plugins=PluginPolicy(middleware=("guard",)))) as client:
        assert client.healthcheck("acme").detail == "the guard says no"
    with Client(Config(plugins=PluginPolicy(middleware=("nobody",)))) as client:
        detail = "the middleware 'nobody' is broken: the configuration names it, but it is not installed"
        assert (client.healthcheck("acme").detail or "").startswith(detail)
