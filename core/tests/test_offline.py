"""What is known without a server and without a key, and says from where, in both clients."""

from __future__ import annotations

import inspect
from typing import Any

import anyio
import attrs
import pytest
from ipfs_accel import AsyncClient, BackendInfo, Client, EndpointConfig, ModelOverride, hookimpl
from ipfs_accel import errors as e
from ipfs_accel.catalogue import Catalogue
from ipfs_accel.hookspecs import TokenRules
from ipfs_accel.plans import Endpoint
from ipfs_accel.types import Audio, Bounds, Document, Image, Message, ModelInfo, Opaque, Tool, ToolResult

from .acme import Acme

CATALOGUE = Catalogue(
    date="2026-10-01",
    models={
        "m1": {"context_window": 8000, "input_price": 1.5, "output_price": 6, "features": {"chat": "yes"}},
        "m2": {"context_window": 900, "features": {"chat": "no"}},
        "m8": {"retired": "2026-10-01"},
        "m9": {"retired": "2027-01-01", "features": {"chat": "yes"}},
    },
)
NOWHERE = "http://127.0.0.1:9"


class Dated(Acme):
    """Wants a key and knows some models beforehand."""

    @hookimpl
    def describe(self) -> BackendInfo:
        return attrs.evolve(
            super().describe(),
            key_env=("ACME_KEY_THAT_IS_NOT_SET",),
            needs_key=True,
            catalogue=lambda: CATALOGUE,
            describe_model=self.described,
        )

    def described(self, endpoint: Endpoint, model: ModelInfo) -> ModelInfo:
        return CATALOGUE.describe(model)


@pytest.fixture(params=[Client, AsyncClient])
def ask(request: pytest.FixtureRequest) -> Any:
    def ask(name: str, *arguments: Any, plugin: Any = Dated, **options: Any) -> Any:
        async def run() -> Any:
            models = {"mine": ModelOverride(context_window=7), "m1": ModelOverride(output_price=5.0)}
            client = request.param(plugins=[plugin(NOWHERE)], endpoints={"acme": EndpointConfig(models=models)})
            try:
                found = getattr(client, name)(*arguments, **options)
                return await found if inspect.isawaitable(found) else found
            finally:
                closed = client.close()
                if inspect.isawaitable(closed):
                    await closed

        return anyio.run(run)

    return ask


def test_a_model_is_shown_with_who_told_of_it(ask: Any) -> None:
    found = ask("show_model", "acme/m1", offline=True)
    assert (found.source, found.catalogue_date) == ("catalogue", "2026-10-01")
    assert (found.context_window, found.input_price, found.output_price) == (8000, 1.5, 5.0)
    mine = ask("show_model", "acme/mine", offline=True)
    assert (mine.source, mine.catalogue_date, mine.context_window) == ("configuration", None, 7)


def test_what_the_catalogue_does_not_know_is_told_with_the_way_out(ask: Any) -> None:
    with pytest.raises(e.InvalidRequestError, match="does not know 'm11'") as raised:
        ask("show_model", "acme/m11", offline=True)
    assert "m1" in str(raised.value.hint)
    assert "leave out offline" in str(raised.value.hint)
    with Client(plugins=[Acme(NOWHERE)]) as client, pytest.raises(e.UnsupportedOperationError, match="no catalogue"):
        client.show_model("acme/m1", offline=True)


def test_models_are_found_without_a_server(ask: Any) -> None:
    found = ask("find", ["acme"], operation="chat", offline=True)
    assert [(each.name, each.unknown) for each in found] == [
        ("acme/m1", ()),
        ("acme/m9", ()),
        ("acme/mine", ("chat",)),
    ]
    assert [each.model.source for each in found] == ["catalogue", "catalogue", "configuration"]
    cheap = ask("find", ["acme"], operation="chat", min_context=9000, max_input_price=1, offline=True)
    assert [(each.name, each.unknown) for each in cheap] == [("acme/m9", ("min_context", "max_input_price"))]
    assert list(ask("find", ["acme"], operation="rerank", offline=True).skipped) == ["acme"]
    with pytest.raises(e.InvalidRequestError, match="exclude each other"):
        ask("find", ["acme"], healthy=True, offline=True)


def test_an_endpoint_without_a_catalogue_is_skipped_with_its_reason() -> None:
    with Client(plugins=[Acme(NOWHERE)]) as client:
        found = client.find(endpoints=["acme"], offline=True)
    assert (list(found), dict(found.skipped)) == ([], {"acme": "the endpoint 'acme' has no catalogue of models"})


def test_abilities_are_told_without_a_server(ask: Any) -> None:
    found = ask("capabilities", "acme/m2", offline=True)
    assert (str(found.supports("chat")), found.model.catalogue_date) == ("no (catalogue)", "2026-10-01")
    assert ask("supports", "acme/m1", "chat", offline=True).value == "yes"
    other = ask("capabilities", "acme/other", offline=True)
    assert (other.model, other.supports("vision").value) == (ModelInfo(id="other"), "unknown")


# counts and estimates


def test_a_count_without_a_server_says_between_which_numbers_it_lies(ask: Any) -> None:
    found = ask("count_tokens", "acme/m1", "Why is the sky blue?", offline=True)
    assert (found.exact, found.method) == (False, "estimate")
    assert found.low <= 6 <= found.input_tokens <= found.high
    longer = ask("count_tokens", "acme/m1", "Why is the sky blue? " * 50, offline=True)
    assert longer.low > found.high
    with_tool = ask("count_tokens", "acme/m1", "Why?", tools=[Tool(name="look", parameters={})], offline=True)
    assert with_tool.high > ask("count_tokens", "acme/m1", "Why?", offline=True).high


PICTURE = Message.user("What is this?", Image(url="https://example.com/a.png"))


def test_what_nobody_can_count_has_no_count_and_no_upper_bound(ask: Any) -> None:
    with pytest.raises(e.InvalidRequestError, match=r"messages\[1\].content\[1\]: image: nobody here knows"):
        ask("count_tokens", "acme/m1", [Message.system("Be brief."), PICTURE], offline=True)
    found = ask("estimate", "acme/m1", [Message.system("Be brief."), PICTURE], max_tokens=10)
    assert (found.input_tokens.high, found.unknown) == (None, ("messages[1].content[1]: image",))
    assert found.cost.low > 0
    assert found.cost.high is None


@pytest.mark.parametrize(
    "part",
    [
        Audio(data=b"RIFF1234WAVE"),
        Document(data=b"%PDF-1.7"),
        ToolResult(tool_call_id="1", content=(Image(data=b"\x89PNG\r\n\x1a\n1"),)),
        Opaque(backend="acme", data={}),
    ],
)
def test_no_part_counts_as_nothing(part: Any) -> None:
    role = "tool" if isinstance(part, ToolResult) else "assistant" if isinstance(part, Opaque) else "user"
    with Client(plugins=[Dated(NOWHERE)]) as client:
        found = client.estimate("acme/m1", [Message.user("q"), Message(role=role, content=(part,))])
    assert found.input_tokens.high is None
    assert found.unknown


@pytest.mark.parametrize("encoding", [None, "o200k_base"])
def test_a_document_that_is_text_counts_as_text(encoding: str | None) -> None:
    words = "Why is the sky blue? " * 200
    file = Message.user("q", Document(data=words.encode(), name="notes.txt"))

    class Encoded(Dated):
        @hookimpl
        def describe(self) -> BackendInfo:
            rules = TokenRules(encoding=encoding)
            return attrs.evolve(super().describe(), token_rules=lambda endpoint, model: rules)

    with Client(plugins=[Encoded(NOWHERE)]) as client:
        text, found = [client.count_tokens("acme/m1", each, offline=True) for each in (words, [file])]
        estimate = client.estimate("acme/m1", [file])
    assert text.input_tokens < found.input_tokens < text.input_tokens + 60
    assert found.low <= found.input_tokens <= found.high < text.high + 100
    assert (estimate.input_tokens.high, estimate.unknown) == (found.high, ())


class Ruled(Dated):
    """Publishes how it counts."""

    @hookimpl
    def describe(self) -> BackendInfo:
        rules = TokenRules(scale=(2.0, 3.0), media=lambda part: (85, 765) if isinstance(part, Image) else None)
        return attrs.evolve(super().describe(), token_rules=lambda endpoint, model: rules)


def test_the_rules_of_a_provider_count(ask: Any) -> None:
    plain = ask("estimate", "acme/m1", "Why is the sky blue? " * 50)
    ruled = ask("estimate", "acme/m1", "Why is the sky blue? " * 50, plugin=Ruled)
    assert ruled.input_tokens.low == pytest.approx(2 * plain.input_tokens.low, abs=2)
    assert ruled.input_tokens.high > 2 * plain.input_tokens.high
    seen = ask("estimate", "acme/m1", [PICTURE], plugin=Ruled)
    assert (seen.input_tokens.low > 85, seen.input_tokens.high > 765, seen.unknown) == (True, True, ())


def test_an_estimate_is_the_prices_times_the_bounds(ask: Any) -> None:
    found = ask("estimate", "acme/m1", "Why is the sky blue?", max_tokens=100, n=2)
    assert found.targets == ("acme/m1",)
    assert (found.output_tokens, found.output_method) == (Bounds(low=0, high=200), "max_tokens")
    assert (found.prices, found.catalogue_date) == ("catalogue", "2026-10-01")
    assert found.cost.low == found.input_tokens.low * 1.5 / 1e6
    assert found.cost.high == (found.input_tokens.high * 1.5 + 200 * 5.0) / 1e6


def test_the_model_bounds_the_answer_where_the_call_does_not(ask: Any) -> None:
    found = ask("estimate", "acme/m1", "q")
    assert (found.output_tokens.high, found.output_method) == (8000 - found.input_tokens.low, "model")
    assert ask("estimate", "acme/m1", "q", max_tokens=9000).output_method == "model"


@pytest.mark.parametrize("options", [{"extra": {"service_tier": "priority"}}, {}])
def test_what_is_not_known_is_none(options: Any, ask: Any) -> None:
    model = "acme/m1" if options else "acme/other"
    found = ask("estimate", model, "q", **options)
    assert (found.cost, found.prices) == (None, None)
    assert (found.output_tokens.high is None) == (model == "acme/other")
    assert (found.input_tokens.high is None) == bool(options)  # what fields of the provider's own add is not known


def test_prices_that_hold_to_a_length_bound_no_longer_prompt() -> None:
    class Stepped(Dated):
        def described(self, endpoint: Endpoint, model: ModelInfo) -> ModelInfo:
            return attrs.evolve(super().described(endpoint, model), prices_hold_to=100)

    with Client(plugins=[Stepped(NOWHERE)]) as client:
        assert client.estimate("acme/m1", "q", max_tokens=1).cost.high is not None  # type: ignore[union-attr]
        assert client.estimate("acme/m1", "word " * 90, max_tokens=1).cost.high is None  # type: ignore[union-attr]
        assert client.estimate("acme/m1", "word " * 900, max_tokens=1).cost is None


def test_a_chain_is_estimated_for_whoever_answers(ask: Any) -> None:
    one, other = [ask("estimate", name, "q", max_tokens=10) for name in ("acme/m1", "acme/m9")]
    both = ask("estimate", ["acme/m1", "acme/m9"], "q", max_tokens=10)
    assert (both.targets, both.cost, one.cost is None, other.cost) == (("acme/m1", "acme/m9"), None, False, None)
    assert both.input_tokens == one.input_tokens


def test_a_type_is_part_of_the_input_and_unknown_names_are_told(ask: Any) -> None:
    plain, typed = ask("estimate", "acme/m1", "q"), ask("estimate", "acme/m1", "q", response_format=dict[str, int])
    assert typed.input_tokens.high > plain.input_tokens.high
    with pytest.raises(e.InvalidRequestError, match="temprature"):
        ask("estimate", "acme/m1", "q", temprature=1)
    with pytest.raises(e.AccelError, match="nowhere"):
        ask("estimate", "nowhere/m", "q")
