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
from ipfs_accel.plans import Endpoint
from ipfs_accel.types import ModelInfo

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
