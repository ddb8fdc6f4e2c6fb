"""Where no file can be opened any more, a call still ends in its own error, in each world, with all that listens."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from ipfs_accel.testing.raw_server import RawServer, serve

from .both_worlds import fine
from .test_http import always

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it has no such limit")

PROGRAM = """
import asyncio, logging, os, resource, sys

if sys.argv[1] == "logging":
    logging.basicConfig(stream=sys.stdout, format="%(message)s")

from ipfs_accel import AsyncClient, Client, Config, EndpointConfig, hookimpl
from core.tests.acme import Acme

records = []


class Listener:
    api_version = 1

    @hookimpl
    def call_finished(self, record):
        records.append(record)


def exhaust():
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    try:
        while True:
            os.open(os.devnull, os.O_RDONLY)
    except OSError:
        pass


def settings(url):
    names = {"near": EndpointConfig(backend="acme", base_url=url), "far": EndpointConfig(backend="acme", base_url=OTHER)}
    return {"config": Config(environ={}), "endpoints": names, "plugins": [Acme(url)], "middleware": [Listener()]}


def told(error):
    print(type(error).__name__, error.attempts, error.hint)
    return error


OTHER = sys.argv[4]


def main(url):
    with Client(**settings(url)) as client:
        assert client.chat("near/m", "q").text
        exhaust()
        try:
            client.chat("far/m", "q")
        except Exception as error:
            told(error)


async def amain(url):
    async with AsyncClient(**settings(url)) as client:
        assert (await client.chat("near/m", "q")).text
        exhaust()
        try:
            await client.chat("far/m", "q")
        except Exception as error:
            told(error)


if sys.argv[2] == "sync":
    main(sys.argv[3])
elif sys.argv[2] == "asyncio":
    asyncio.run(amain(sys.argv[3]))
else:
    import trio

    trio.run(amain, sys.argv[3])
print(len(records))
"""


@pytest.fixture
def servers() -> Iterator[tuple[RawServer, RawServer]]:
    with serve(always(fine())) as near, serve(always(fine())) as far:
        yield near, far


@pytest.mark.parametrize("world", ["sync", "asyncio", "trio"])
@pytest.mark.parametrize("log", ["logging", "silent"])
def test_the_error_says_so(servers: tuple[RawServer, RawServer], world: str, log: str) -> None:
    urls = [server.url for server in servers]
    command = [sys.executable, "-c", PROGRAM, log, world, *urls]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    error, count = [line for line in done.stdout.splitlines() if not line.startswith(("{", "call_", "event"))][-2:]
    assert error.startswith("APIConnectionError 1 raise the limit of open files"), done
    assert (count, done.stderr) == ("2", "")
