"""The contract that every backend keeps, as tests to subclass.

    from ipfs_accel.testing import BackendContract, Exchange, json_reply
    from ipfs_accel_acme import backend

    class TestAcme(BackendContract):
        plugin = backend
        exchanges = (
            Exchange(
                operation="embed",
                call=lambda client, at: client.embed(f"{at}/m", ["a"]),
                replies=json_reply({"vectors": [[1.0, 2.0]]}),
                check=lambda answer: list(answer.vectors[0]) == [1.0, 2.0],
            ),
        )

Everything runs offline, in under a minute, against servers of the kit's own: each exchange in both worlds, the stream
contract, errors, faults, cancellation, secrets, purity of the hooks, that no option is lost, and that the plugin can do
what it says. A test that a backend cannot pass is waived with its reason (`waived`), never left out.
"""

from __future__ import annotations

import logging
import pickle
import secrets
import time
import traceback
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, ClassVar

import attrs
import pytest

from ipfs_accel import Client, Config, EndpointConfig
from ipfs_accel import errors as e
from ipfs_accel.hookspecs import API_VERSION, OPERATIONS, RAW_OPERATIONS
from ipfs_accel.types import Answer, Timeout

from . import stream_rules
from .awkward import AWKWARD
from .faults import FAULTS, Fault
from .mangled import halved, mangled
from .number_contract import NumberContract
from .options import OPTIONS, lost_options
from .purity import no_io, pure_hooks
from .raw_contract import RawContract
from .raw_server import Connection
from .replies import Reply, chunk, json_reply
from .run_contract import RunContract
from .trials import (
    SOON,
    WORLDS,
    Exchange,
    Outcome,
    Subject,
    World,
    against,
    cancelled,
    listening,
    replying,
    replying_anew,
)

__all__ = ["BackendContract"]

_STATUSES: dict[int, type[e.AccelError]] = {
    400: e.APIStatusError,
    401: e.AuthenticationError,
    403: e.PermissionDeniedError,
    404: e.NotFoundError,
    429: e.RateLimitError,
    500: e.InternalServerError,
    503: e.InternalServerError,
}
_ERROR_BODIES = (
    b'{"error": {"message": "no"}}',
    b'{"error": "no"}',
    b'{"detail": ["no"]}',
    b"[1]",
    b"null",
    b"",
    b"<p>no",
)
_NONSENSE = (b"{}", b"[]", b"[{}]", b"null", b"true", b'"text"', b'{"error": null}')
_MANGLED = 16  # answers with something wrong, for each exchange


class BackendContract(RawContract, NumberContract, RunContract):
    """Subclass it, named Test…, and name the plugin and its exchanges.

    Attributes:
        plugin: The plugin object, or the name of an installed one.
        exchanges: At least one for each operation that the plugin implements; one whose hook plans `Local` needs no
            replies and is no matter of this kit.
        local: Operations that need no server, or another than an HTTP server, and are tested elsewhere; with reasons.
        options: The backend's own settings.
        path: What follows the server's address in the base URL.
        asides: Path to the answer of what the backend asks a server about itself before a call. These are beside the
            replies of the exchanges, and no fault hits them.
        waived: Name of a test, or of a test with its parameters as pytest shows them, to the reason why this backend
            cannot pass it. It then has to fail.
    """

    plugin: ClassVar[Any]
    exchanges: ClassVar[tuple[Exchange, ...]]
    local: ClassVar[Mapping[str, str]] = {}
    options: ClassVar[Mapping[str, Any]] = {}
    path: ClassVar[str] = ""
    asides: ClassVar[Mapping[str, Reply]] = {}
    waived: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def subject(cls, key: str = "sk-contract-0123456789") -> Subject:
        """Return what is tried."""
        return Subject(plugin=cls.plugin, options=cls.options, path=cls.path, key=key, asides=cls.asides)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make the tests: one for each world, exchange and fault that a test asks for."""
        streams = [each for each in self.exchanges if each.is_stream]
        wholes = [each for each in self.exchanges if not each.is_stream and each.operation != "healthcheck"]
        streams.sort(key=lambda each: len(each.replies))  # one request is the simplest thing to break
        wholes.sort(key=lambda each: len(each.replies))
        ones = [*wholes[:1], *streams[:1]]
        values: dict[str, list[Any]] = {
            "world": [world for world in WORLDS if world != "trio" or find_spec("trio")],
            "library": ["asyncio", *(["trio"] if find_spec("trio") else [])],
            "side": [world for world in WORLDS if world != "trio"],
            "exchange": list(self.exchanges),
            "stream": streams,
            "one": ones,
            "trial": [
                (one, fault)
                for one in ones
                for fault in FAULTS.values()
                if (fault.stream if one.is_stream else fault.whole) is not None
            ],
            "operation": list(OPERATIONS),
            "asked": list(OPTIONS),
            "awkward": [each for each in AWKWARD if each in {one.operation for one in self.exchanges}],
        }
        for name in metafunc.fixturenames:
            if name in values:
                metafunc.parametrize(name, values[name], ids=_identify)

    # what it says of itself

    def test_it_describes_itself(self) -> None:
        """`describe` gives a name and where the backend is; the API version is one that this core knows."""
        info = self.subject().info
        assert info.name
        assert info.name == info.name.lower()
        if not isinstance(self.plugin, str):
            assert self.plugin.api_version <= API_VERSION
        if info.needs_key:
            assert info.key_env, "a backend that needs a key names the variable for it"

    def test_what_it_can_do_is_shown(self, operation: str) -> None:
        """What capabilities say is what the hooks do, and every operation has an exchange."""
        subject = self.subject()
        with subject.client(Client, "http://127.0.0.1:9", Timeout(total=1.0)) as client:
            support = client.capabilities(subject.info.name).supports(operation)
        assert support.source == "hook"
        shown = {each.operation for each in self.exchanges} | set(self.local)
        if operation in RAW_OPERATIONS:
            return  # the kit shows these itself
        if support.value == "yes":
            assert operation in shown, f"no exchange shows {operation!r}"
        else:
            assert operation not in shown

    def test_an_operation_that_it_has_not_is_refused(self) -> None:
        """It is refused by name, before anything is sent."""
        subject = self.subject()
        name = subject.info.name
        with subject.client(Client, "http://127.0.0.1:9", Timeout(total=1.0)) as client:
            have = client.capabilities(name)
            for operation in ("chat", "complete", "embed", "rerank"):
                if have.supports(operation).value == "no":
                    arguments = ("query", ["document"]) if operation == "rerank" else ("text",)
                    with pytest.raises(e.UnsupportedOperationError, match=operation):
                        getattr(client, operation)(f"{name}/m", *arguments)

    # what it does

    def test_no_option_is_lost(self, asked: str) -> None:
        """Each option is sent, refused, or named as one that cannot be honoured."""
        subject = self.subject()
        with subject.client(Client, "http://127.0.0.1:9", Timeout(total=1.0)) as client:
            support = client.capabilities(subject.info.name).supports(asked)
        if support.value == "yes" and asked not in self.local:
            assert lost_options(subject, asked) == []

    def test_a_text_that_cannot_be_sent_is_named(self, awkward: str, side: World) -> None:
        """Half a character in what a caller gives is the caller's error, which names its place."""
        call, place = AWKWARD[awkward]
        reply = next(each.replies for each in self.exchanges if each.operation == awkward)
        with replying(self.subject(), *reply) as server:
            outcome = self.subject().run(side, Exchange(operation=awkward, call=call, replies=reply), server.url)
        (error,) = outcome.errors
        assert isinstance(error, e.InvalidRequestError), repr(error)
        assert place in str(error)

    def test_it_answers(self, world: World, exchange: Exchange) -> None:
        """Each exchange gives its answer in each world, and no connection stays in use."""
        outcome = self._run(world, exchange)
        answer = outcome.answer
        if exchange.check is not None:
            assert exchange.check(answer) is not False, answer
        assert outcome.stats is not None
        assert outcome.stats.active == 0
        if isinstance(answer, Answer):
            assert answer.call is not None
            assert answer.call.endpoint == self.subject().info.name

    def test_hooks_do_no_io(self, exchange: Exchange) -> None:
        """Planning and reading are pure; a plan knows no key."""
        subject = self.subject()
        seen: list[Any] = []
        with replying(subject, *exchange.replies) as server:
            subject.run("sync", exchange, server.url)
            with pure_hooks(seen):
                outcome = subject.run("sync", exchange, server.url)
        assert not outcome.errors or not isinstance(outcome.errors[0].__cause__, AssertionError), outcome.errors
        assert subject.key not in repr(seen)

    # streams

    def test_streams_keep_their_rules(self, world: World, stream: Exchange) -> None:
        """Events come in their promised order, and the deltas are the answer."""
        outcome = self._run(world, stream)
        stream_rules.check(outcome.events, outcome.answer)

    def test_streams_may_be_cut_into_any_pieces(self, stream: Exchange) -> None:
        """Where the network cuts the bytes changes nothing."""
        expected = self._run("sync", stream)
        *before, last = stream.replies
        singles = attrs.evolve(last, pieces=tuple([bytes([byte]) for byte in last.body]))
        found = self._run("sync", attrs.evolve(stream, replies=(*before, singles)))
        assert stream_rules.without_call(found.answer) == stream_rules.without_call(expected.answer)
        assert found.events == expected.events

    def test_heartbeats_between_frames_mean_nothing(self, stream: Exchange) -> None:
        """Comments and empty lines, which keep connections open, change nothing."""
        expected = self._run("sync", stream)
        *before, last = stream.replies
        beating = attrs.evolve(last, pieces=tuple([last.heartbeat + piece for piece in last.pieces]))
        found = self._run("sync", attrs.evolve(stream, replies=(*before, beating)))
        assert stream_rules.without_call(found.answer) == stream_rules.without_call(expected.answer)
        assert found.events == expected.events

    def test_a_stream_that_was_cut_is_no_answer(self, stream: Exchange) -> None:
        """Wherever a server ends a stream early, but properly, the caller is told."""
        *before, last = stream.replies
        for count in range(len(last.pieces) - last.ends_with + 1):
            cut = attrs.evolve(last, pieces=last.pieces[:count])
            outcome = self._run("sync", attrs.evolve(stream, replies=(*before, cut)))
            assert [type(error) for error in outcome.errors] == [e.StreamIncomplete], f"after {count} frames"

    def test_half_a_character_is_no_text(self, stream: Exchange) -> None:
        """Where a server cuts a character in two, its caller gets whole ones."""
        subject = self.subject()
        variants = list(halved(stream.replies))
        with replying(subject, *[reply for replies in variants for reply in replies]) as server:
            outcome = subject.run("sync", stream, server.url, calls=len(variants))
        assert len(outcome.errors) + len(outcome.answers) == len(variants)
        stream_rules.check_characters(outcome.events)

    # errors

    @pytest.mark.parametrize("status", _STATUSES)
    def test_errors_are_typed(self, one: Exchange, status: int) -> None:
        """Whatever stands in the body of an error, the status makes its class."""
        replies = [Reply(pieces=(body,), status=status, headers={"retry-after": "7"}) for body in _ERROR_BODIES]
        subject = self.subject()
        with replying_anew(subject, replies) as (server, steps):
            outcome = subject.run("sync", one, server.url, calls=steps)
        assert len(outcome.errors) == len(_ERROR_BODIES)
        for body, error in zip(_ERROR_BODIES, outcome.errors, strict=True):
            assert isinstance(error, _STATUSES[status]), (body, error)
            assert isinstance(error, e.APIError)
            assert (error.status, error.retry_after) == (status, 7.0)
            assert (error.endpoint, error.backend) == (self.subject().info.name,) * 2
            assert pickle.loads(pickle.dumps(error)).args == error.args  # noqa: S301 - its own

    def test_nonsense_is_no_answer_and_no_crash(self, exchange: Exchange) -> None:
        """A 200 with the wrong JSON gives a typed error, or an answer if the protocol leaves everything open."""
        subject = self.subject()
        with replying_anew(subject, [Reply(pieces=(body,)) for body in _NONSENSE]) as (server, steps):
            outcome = subject.run("sync", exchange, server.url, calls=steps)
        assert len(outcome.errors) + len(outcome.answers) == len(_NONSENSE)

    def test_whatever_a_member_holds_is_no_crash(self, exchange: Exchange) -> None:
        """An answer with one member of another type, or without it, gives a typed error, or an answer."""
        subject = self.subject()
        variants = list(mangled(exchange.replies, _MANGLED))
        with replying(subject, *[reply for replies in variants for reply in replies]) as server:
            outcome = subject.run("sync", exchange, server.url, calls=len(variants))
        assert len(outcome.errors) + len(outcome.answers) == len(variants)

    # faults

    def test_faults(self, side: World, trial: tuple[Exchange, Fault]) -> None:
        """Each fault shows as the error that the catalogue says, soon, and holds no connection."""
        one, fault = trial
        expected = fault.stream if one.is_stream else fault.whole
        subject = self.subject()
        with against(subject, fault, one.replies[-1]) as (url, server):
            began = time.monotonic()
            limits = fault.limits_of(is_stream=one.is_stream)
            outcome = subject.run(side, one, url, timeout=limits, calls=fault.calls)
            assert time.monotonic() - began < SOON
            assert outcome.stats is not None
            assert outcome.stats.active == 0
            if server is not None:
                assert len(server.heads) <= fault.requests
        if expected:
            assert len(outcome.errors) == fault.calls
            assert isinstance(outcome.errors[0], expected), repr(outcome.errors[0])
        else:
            assert not outcome.errors, repr(outcome.errors)
            assert len(outcome.answers) == fault.calls

    @pytest.mark.parametrize("moment", ["before the answer", "within the answer"])
    def test_cancellation_closes_the_connection(self, library: str, one: Exchange, moment: str) -> None:
        """A call that is cancelled leaves nothing behind, and the server sees that nobody listens."""
        reply = one.replies[-1]

        def handle(connection: Connection) -> None:
            connection.request()
            if moment == "within the answer":
                connection.send(reply.head("transfer-encoding: chunked") + chunk(reply.body[:8]))
            connection.wait()

        subject = self.subject()
        with listening(subject, handle) as server:
            stats = cancelled(subject, one, server, library)
            until = time.monotonic() + SOON
            while not server.closed and time.monotonic() < until:
                time.sleep(0.005)
        assert server.closed == server.connections == 1
        assert (stats.active, stats.idle) == (0, 0)

    # secrets

    def test_the_key_shows_nowhere(self, exchange: Exchange, caplog: pytest.LogCaptureFixture) -> None:
        """Not in logs, reprs, errors, tracebacks, pickles or URLs, even if the server repeats it."""
        caplog.set_level(logging.DEBUG)
        key = f"sk-canary-{secrets.token_hex(16)}"
        subject = self.subject(key)
        said: list[str] = []
        echo = json_reply({"error": {"message": f"the key {key} is wrong", "code": key}, "detail": key}, status=401)
        for replies in (exchange.replies, (echo,)):
            with replying(subject, *replies) as server:
                outcome = subject.run("sync", exchange, server.url)
                said += [head.split("\r\n", 1)[0] for head in server.heads]
            for error in outcome.errors:
                said += ["".join(traceback.format_exception(error)), repr(vars(error)), repr(pickle.dumps(error))]
            said += [repr(answer) for answer in outcome.answers]
        with subject.client(Client, "http://127.0.0.1:9", Timeout()) as client:
            said += [repr(client), repr(client.config)]
        said.append(caplog.text)
        assert not [each for each in said if key in each]

    def test_a_missing_key_is_told_before_anything_is_sent(self) -> None:
        """The error names the variable and the command that stores a key."""
        info = self.subject().info
        if not info.needs_key or not self.exchanges:
            pytest.skip("no call of it needs a key")
        plugins = () if isinstance(self.plugin, str) else (self.plugin,)
        call = next(each.call for each in self.exchanges if not each.is_stream and each.operation != "healthcheck")
        # Some providers have no address of their own, and want their key at each.
        place = {info.name: EndpointConfig(base_url=info.key_url or info.base_url or "http://127.0.0.1:9")}
        with Client(Config(environ={}), endpoints=place, plugins=plugins) as client:
            with pytest.raises(e.MissingKeyError) as caught:
                call(client, info.name)  # once before, since what is imported at first use is read from files
            with pytest.raises(e.MissingKeyError), no_io("a call without a key"):
                call(client, info.name)
        hint = str(caught.value.hint)
        assert info.key_env[0] in hint
        assert "ipfs-accel keys set" in hint

    def _run(self, world: World, exchange: Exchange) -> Outcome:
        subject = self.subject()
        with replying(subject, *exchange.replies) as server:
            return subject.run(world, exchange, server.url)


def _identify(value: Any) -> str:
    if isinstance(value, tuple):
        return "-".join(map(_identify, value))
    if isinstance(value, Exchange):
        return value.operation
    return str(getattr(value, "name", value))
