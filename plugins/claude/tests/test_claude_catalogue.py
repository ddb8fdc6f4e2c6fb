"""What is known of Claude's models beforehand."""

from __future__ import annotations

from datetime import date

import attrs
import pytest
from ipfs_accel.catalogue import Catalogue
from ipfs_accel.plans import Endpoint
from ipfs_accel.types import ModelInfo
from ipfs_accel_claude import Options, backend
from ipfs_accel_claude._rules import rules_of

HOSTED = Endpoint(name="claude", backend="claude", base_url="https://api.anthropic.com", options=Options())
LOCAL = attrs.evolve(HOSTED, base_url="http://127.0.0.1:1")


def described(endpoint: Endpoint, name: str) -> ModelInfo:
    describe = backend.describe().describe_model
    assert describe is not None
    return describe(endpoint, ModelInfo(id=name))


def test_the_catalogue_tells_what_the_list_does_not() -> None:
    dated = described(HOSTED, "claude-haiku-4-5-20251001")
    assert (dated.context_window, dated.max_output_tokens) == (200_000, 64_000)
    assert (dated.input_price, dated.output_price, dated.cached_input_price) == (1, 5, 0.1)
    assert str(dated.features["vision"]) == "yes (catalogue)"
    assert described(HOSTED, "claude-sonnet-4-5").retired == "2026-11-30"
    assert described(HOSTED, "claude-brand-new") == ModelInfo(id="claude-brand-new")
    assert described(LOCAL, "claude-haiku-4-5") == ModelInfo(id="claude-haiku-4-5")


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue.load("ipfs_accel_claude")


def test_the_catalogue_has_only_fields_that_are_known(catalogue: Catalogue) -> None:
    known = {field.name for field in attrs.fields(ModelInfo)} | {"family"}
    assert date.fromisoformat(catalogue.date)
    for name, fields in catalogue.models.items():
        assert set(fields) <= known, name
        assert fields["max_output_tokens"] < fields["context_window"]
        assert (fields.get("input_price") is None) == (fields.get("output_price") is None), name
        if fields.get("cache_write_price") is not None:
            assert fields["cache_write_price"] == pytest.approx(fields["input_price"] * 1.25), name
        if fields.get("retired"):
            assert date.fromisoformat(fields["retired"])


def test_the_catalogue_and_the_rules_say_the_same(catalogue: Catalogue) -> None:
    for name in catalogue.models:
        features = {feature: support.value == "yes" for feature, support in described(HOSTED, name).features.items()}
        rules = rules_of(HOSTED, name)
        assert (features["sampling"], features["forced_tool_choice"], features["reasoning_effort"]) == (
            rules.sampling,
            rules.forced_choice,
            rules.effort,
        ), name
