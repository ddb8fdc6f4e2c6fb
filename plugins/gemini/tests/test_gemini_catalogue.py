"""What is known of Google's models beforehand, and what calls cost."""

from __future__ import annotations

from datetime import date
from typing import Any

import attrs
import pytest
from ipfs_accel.catalogue import Catalogue
from ipfs_accel.plans import Endpoint
from ipfs_accel.types import ModelInfo, Usage
from ipfs_accel_gemini import Options, backend
from ipfs_accel_gemini._answers import usage_of
from ipfs_accel_gemini._models import prices_hold
from ipfs_accel_gemini._rules import rules_of

HOSTED = Endpoint(
    name="gemini", backend="gemini", base_url="https://generativelanguage.googleapis.com", options=Options()
)
LOCAL = attrs.evolve(HOSTED, base_url="http://127.0.0.1:1")
VERTEX = attrs.evolve(HOSTED, base_url="https://aiplatform.googleapis.com", options=Options(vertex=True, project="p"))
REGION = attrs.evolve(VERTEX, base_url="https://europe-west4-aiplatform.googleapis.com")


def described(endpoint: Endpoint, name: str) -> ModelInfo:
    describe = backend.describe().describe_model
    assert describe is not None
    return describe(endpoint, ModelInfo(id=name))


def test_the_catalogue_tells_what_the_list_does_not() -> None:
    known = described(HOSTED, "gemini-2.5-flash")
    assert (known.context_window, known.max_output_tokens) == (1_048_576, 65_536)
    assert (known.input_price, known.output_price, known.cached_input_price, known.audio_input_price) == (
        0.3,
        2.5,
        0.03,
        1,
    )
    assert str(known.features["vision"]) == "yes (catalogue)"
    assert described(HOSTED, "models/gemini-2.5-flash") == attrs.evolve(known, id="models/gemini-2.5-flash")
    assert described(VERTEX, "gemini-2.5-flash") == known
    assert described(REGION, "gemini-2.5-flash").input_price is None
    assert described(REGION, "gemini-2.5-flash").context_window == known.context_window
    assert described(HOSTED, "gemini-brand-new") == ModelInfo(id="gemini-brand-new")
    assert described(LOCAL, "gemini-2.5-flash") == ModelInfo(id="gemini-2.5-flash")


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue.load("ipfs_accel_gemini")


def test_the_catalogue_has_only_fields_that_are_known(catalogue: Catalogue) -> None:
    known = {field.name for field in attrs.fields(ModelInfo)} | {"family"}
    assert date.fromisoformat(catalogue.date)
    for name, fields in catalogue.models.items():
        assert set(fields) <= known, name
        assert (fields.get("input_price") is None) == (fields.get("output_price") is None), name
        if fields.get("cached_input_price") is not None:
            assert fields["cached_input_price"] == pytest.approx(fields["input_price"] / 10), name
        if fields.get("retired"):
            assert date.fromisoformat(fields["retired"])


def test_the_catalogue_and_the_rules_say_the_same(catalogue: Catalogue) -> None:
    for name, fields in catalogue.models.items():
        sampling = fields["features"].get("sampling")
        if sampling is not None:
            assert (sampling == "yes") is rules_of(name).sampling, name


@pytest.mark.parametrize(
    ("extra", "holds"),
    [
        ({}, True),
        ({"trafficType": "ON_DEMAND", "groundingMetadata": {}}, True),
        ({"cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 9}]}, True),
        ({"groundingMetadata": {"webSearchQueries": ["q"]}}, False),
        ({"trafficType": "PROVISIONED_THROUGHPUT"}, False),
        ({"cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 9}]}, False),
    ],
)
def test_when_an_answer_costs_what_the_catalogue_says(extra: dict[str, Any], holds: bool) -> None:
    assert prices_hold(extra) is holds


def test_every_kind_of_token_is_counted_once() -> None:
    usage = {
        "promptTokenCount": 100, "cachedContentTokenCount": 40, "candidatesTokenCount": 20, "thoughtsTokenCount": 30, "toolUsePromptTokenCount": 7,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 60}, {"modality": "AUDIO", "tokenCount": 40}],
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 15}, {"modality": "TEXT", "tokenCount": 5}],
    }  # fmt: skip
    assert usage_of(usage) == Usage(
        input_tokens=107,
        output_tokens=50,
        cached_input_tokens=40,
        reasoning_tokens=30,
        audio_input_tokens=40,
        audio_output_tokens=0,
        image_output_tokens=15,
    )
