"""Schemas that a server may not enforce: refused, warned of, checked; in every world, whole and streamed."""

from __future__ import annotations

import json
import warnings
from typing import Any

import attrs
import pytest
from ipfs_accel import Client, EndpointConfig, JsonSchema, Tool, errors, hookimpl
from ipfs_accel.errors import ConfigError, SchemaViolationError, UnsupportedParameterError
from ipfs_accel.plans import Endpoint, Held
from ipfs_accel.testing.raw_server import answer as raw_answer
from ipfs_accel.types import ChatRequest
from ipfs_accel.wire import schema_check

from .acme import Acme
from .both_worlds import awaiting, blocking, fine, on_trio, outcome, scripted, streamed

WORLDS = pytest.mark.parametrize("world", [blocking, awaiting, on_trio], ids=["sync", "asyncio", "trio"])
KINDS = pytest.mark.parametrize("operation", ["chat", "stream"])
BOUND = {"type": "object", "properties": {"p": {"type": "number", "maximum": 1}}, "required": ["p"]}


class Holder(Acme):
    """Knows that its server drops `maximum`, and nothing of schemas that say so in their title."""

    def _held(self, request: ChatRequest, plan: Any) -> Any:
        schema = request.response_format
        tools = {tool.name: tool.parameters for tool in request.tools}
        if not isinstance(schema, JsonSchema):
            return Held(plan=plan, tools=tools, server="Acme", lost=self._lost) if tools else plan
        is_known = schema.schema.get("title") != "unknown"
        return Held(plan=plan, schema=schema, tools=tools, server="Acme", lost=self._lost if is_known else None)

    def _lost(self, schema: Any) -> tuple[str, ...]:
        return ("maximum",) if "maximum" in json.dumps(schema) else ()

    @hookimpl
    def chat(self, endpoint: Endpoint, request: ChatRequest) -> Any:
        return self._held(request, super().chat(endpoint, request))

    @hookimpl
    def stream(self, endpoint: Endpoint, request: ChatRequest) -> Any:
        return self._held(request, super().stream(endpoint, request))


def asked(world: Any, operation: str, text: str, schema: Any = BOUND, **more: Any) -> tuple[Any, list[str]]:
    """Return what became of a call, and the warnings."""
    answer = fine(text) if operation == "chat" else streamed(text, "END")
    options = {"response_format": JsonSchema(schema=schema, strict=more.pop("strict", None)), **more.pop("options", {})}
    with scripted(answer) as server, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = outcome(world, server, operation, options=options, **{"plugin": Holder, **more})
    return found, [str(each.message) for each in told]


class Twice(Holder):
    """As the above, in a plan that is held for another reason, too."""

    def _held(self, request: ChatRequest, plan: Any) -> Any:
        return Held(
            plan=super()._held(request, plan), told="said before", doubt=lambda answer: f"said of {answer.text}"
        )


@WORLDS
@KINDS
def test_a_plan_may_be_held_twice(world: Any, operation: str) -> None:
    found, told = asked(world, operation, '{"p": 2}', plugin=Twice)
    assert isinstance(found, SchemaViolationError)
    assert [each for each in told if each.startswith("said")][:1] == ["said before"]
    _, told = asked(world, operation, '{"p": 0}', plugin=Twice)
    assert [each for each in told if each.startswith("said")] == ["said before", 'said of {"p": 0}']


class Refuser(Holder):
    """Knows that its server fails over patterns."""

    def _held(self, request: ChatRequest, plan: Any) -> Any:
        held = super()._held(request, plan)
        return attrs.evolve(held, refused=lambda schema: ("pattern",) if "pattern" in json.dumps(schema) else ())


@WORLDS
@KINDS
@pytest.mark.parametrize("status", ["500 Oops", "503 Full"])
@pytest.mark.parametrize("keyword", ["pattern", "maximum"])
def test_an_error_without_a_reason_is_about_the_schema_where_its_server_fails_over_it(
    world: Any, operation: str, status: str, keyword: str
) -> None:
    asks = {"response_format": JsonSchema(schema={**BOUND, keyword: 1}), "on_unsupported": "warn"}
    failed = raw_answer(b'{"error": {"message": "Internal server error"}}', status)
    with scripted(failed) as server, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        error = outcome(world, server, operation, options=asks, plugin=Refuser)
    is_blamed = status.startswith("500") and keyword == "pattern"
    assert (error.hint == "Acme fails over a schema with pattern; write it otherwise") is is_blamed
    assert error.retryable is not is_blamed


@WORLDS
@KINDS
def test_an_answer_that_breaks_its_schema_is_an_error_and_not_lost(world: Any, operation: str) -> None:
    error, _ = asked(world, operation, '{"p":2}')
    assert type(error) is SchemaViolationError
    assert "$.p: 2 is greater than the maximum of 1" in error.message
    assert error.partial.text == '{"p":2}'
    assert error.attempts == 1
    assert not error.retryable


@WORLDS
@KINDS
def test_what_is_not_enforced_is_warned_of_and_a_good_answer_given(world: Any, operation: str) -> None:
    answer, told = asked(world, operation, '{"p":0.5}')
    assert answer.text == '{"p":0.5}'
    assert told == ["response_format: Acme does not enforce maximum; the answer is checked here"]


@KINDS
def test_it_is_warned_of_once_for_each_schema(operation: str) -> None:
    other = {**BOUND, "title": "other"}
    calls = [
        (operation, {"model": "acme/m", "messages": "q", "response_format": JsonSchema(schema=schema)})
        for schema in (BOUND, dict(BOUND), other)
    ]
    answer = fine('{"p":0}') if operation == "chat" else streamed('{"p":0}', "END")
    with scripted(answer) as server, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        blocking(server, *calls, plugin=Holder)
    assert len(told) == 2


@WORLDS
@KINDS
def test_strict_refuses_before_anything_is_sent(world: Any, operation: str) -> None:
    error, told = asked(world, operation, "never read", strict=True)
    assert type(error) is UnsupportedParameterError
    assert error.message == "response_format: Acme does not enforce maximum"
    assert "leave strict out" in error.hint
    assert told == []


@KINDS
def test_an_endpoint_can_refuse_trust_or_check_them_all(operation: str) -> None:
    error, _ = asked(blocking, operation, "never read", endpoint={"schemas": "refuse"})
    assert type(error) is UnsupportedParameterError
    answer, told = asked(blocking, operation, '{"p":2}', endpoint={"schemas": "trust"}, strict=True)
    assert (answer.text, told) == ('{"p":2}', [])
    error, told = asked(blocking, operation, '{"p":2}', endpoint={"schemas": "check"})
    assert type(error) is SchemaViolationError


@KINDS
def test_where_nothing_is_known_an_answer_is_checked_if_that_is_set(operation: str) -> None:
    unknown = {**BOUND, "title": "unknown"}
    answer, told = asked(blocking, operation, "no JSON", unknown, strict=True)
    assert (answer.text, told) == ("no JSON", [])
    error, told = asked(blocking, operation, "no JSON", unknown, endpoint={"schemas": "check"})
    assert type(error) is SchemaViolationError
    assert "it is not JSON" in error.message
    assert told == []


@KINDS
def test_without_the_checker_it_is_said_how_to_get_it(operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_check, "_packages", lambda: None)
    answer, told = asked(blocking, operation, '{"p":2}')
    assert answer.text == '{"p":2}'
    assert told == [
        "response_format: Acme does not enforce maximum; install ipfs-accel[schema] to have the answer checked"
    ]
    error, _ = asked(blocking, operation, '{"p":2}', endpoint={"schemas": "check"})
    assert type(error) is ConfigError
    assert "'acme'" in error.message
    assert "ipfs-accel[schema]" in error.hint


def test_the_arguments_of_strict_tools_are_held_too() -> None:
    tools = [Tool(name="f", parameters=BOUND, strict=True)]
    with scripted(fine("never read")) as server:
        error = outcome(blocking, server, plugin=Holder, options={"tools": tools})
    assert type(error) is UnsupportedParameterError
    assert error.message == "tools.f.parameters: Acme does not enforce maximum"


def test_a_schema_that_cannot_be_judged_by_is_said_and_fails_nothing() -> None:
    elsewhere = {"$ref": "https://schemas.example/one.json", "maximum": 1}
    answer, told = asked(blocking, "chat", '{"p":2}', elsewhere)
    assert answer.text == '{"p":2}'
    assert "cannot be checked" in told[-1]


def test_an_answer_of_other_things_than_text_is_not_checked() -> None:
    class Calling(Holder):
        @hookimpl
        def chat(self, endpoint: Endpoint, request: ChatRequest) -> Any:
            held = super().chat(endpoint, request)
            cut = held.plan.parse

            def parse(response: Any) -> Any:
                answer = cut(response)
                return attrs.evolve(answer, choices=(attrs.evolve(answer.choices[0], finish_reason="length"),))

            return attrs.evolve(held, plan=attrs.evolve(held.plan, parse=parse))

    with scripted(fine('{"p":')) as server, pytest.warns(UserWarning, match="does not enforce"):
        found = outcome(blocking, server, plugin=Calling, options={"response_format": JsonSchema(schema=BOUND)})
    assert found.finish_reason == "length"


def test_a_policy_that_is_none_is_refused() -> None:
    with pytest.raises(errors.ConfigError, match=r"schemas: 'maybe' is not one of warn, check, refuse, trust"):
        EndpointConfig(schemas="maybe")  # type: ignore[arg-type]


def test_chats_without_a_schema_load_nothing_of_this() -> None:
    import subprocess
    import sys

    code = (
        "import sys\nfrom ipfs_accel import Client\nfrom ipfs_accel.testing import Scripted\n"
        "with Client(plugins=[Scripted(['a'])]) as client: client.chat('scripted/m', 'q')\n"
        "print([name for name in sys.modules if 'schema' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_client_takes_the_policy_from_a_file(tmp_path: Any) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[endpoints.acme]\nschemas = "refuse"\n')
    with (
        scripted(fine()) as server,
        Client(file, plugins=[Holder(server.url)]) as client,
        pytest.raises(UnsupportedParameterError),
    ):
        client.chat("acme/m", "q", response_format=JsonSchema(schema=BOUND))
