"""Plugins of other plugin APIs: adapted step by step, or refused with what to upgrade."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ipfs_accel._plugins.adapters import ADAPTERS, IncompatibleError, adapt
from ipfs_accel.hookspecs import API_VERSION


def plugin(version: Any) -> Any:
    return SimpleNamespace(api_version=version, steps=())


def step(name: str) -> Any:
    return lambda old: SimpleNamespace(api_version=old.api_version + 1, steps=(*old.steps, name))


def test_a_plugin_of_this_version_is_left_alone() -> None:
    current = plugin(API_VERSION)
    assert adapt(current) is current


def test_an_older_one_goes_up_step_by_step() -> None:
    adapted = adapt(plugin(1), 4, {1: step("a"), 2: step("b"), 3: step("c")})
    assert (adapted.api_version, adapted.steps) == (4, ("a", "b", "c"))
    assert adapt(plugin(3), 4, {3: step("c")}).steps == ("c",)


@pytest.mark.parametrize(
    ("stated", "sentence"),
    [
        (1, "written for plugin API 1, which this ipfs-accel with 4 does not take any more: upgrade the plugin"),
        (5, "needs plugin API 5, this ipfs-accel has 4: upgrade ipfs-accel"),
        (None, "does not say which plugin API it was written for; its authors add: api_version = 4"),
        ("4", "says '4', which is no number"),
        (True, "says True, which is no number"),
    ],
)
def test_others_are_told_what_to_upgrade(stated: Any, sentence: str) -> None:
    with pytest.raises(IncompatibleError) as caught:
        adapt(plugin(stated), 4, {2: step("b"), 3: step("c")})
    assert sentence in str(caught.value)


def test_every_older_version_that_is_taken_has_an_unbroken_way_up() -> None:
    assert sorted(ADAPTERS) == list(range(API_VERSION - len(ADAPTERS), API_VERSION))
