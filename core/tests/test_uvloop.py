"""uvloop, which the extra `fast` brings: a program that runs its loop on it has the same calls."""

from __future__ import annotations

import asyncio

import pytest
from ipfs_accel import AsyncClient
from ipfs_accel import errors as e

from .acme import Acme
from .both_worlds import fine, scripted

uvloop = pytest.importorskip("uvloop", reason="it has no wheels for this machine")


def test_calls_streams_and_what_goes_wrong_are_the_same_on_uvloop() -> None:
    async def main() -> None:
        assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
        with scripted(*[fine()] * 30) as server:
            async with AsyncClient(plugins=[Acme(server.url)]) as client:
                answers = await asyncio.gather(*[client.chat("acme/m", "q") for _ in range(20)])
                assert {answer.text for answer in answers} == {"blue"}
                call = asyncio.ensure_future(client.chat("acme/m", "q"))
                await asyncio.sleep(0)
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
                assert (await client.chat("acme/m", "q")).text == "blue"
        async with AsyncClient(plugins=[Acme(server.url)]) as client:
            with pytest.raises(e.APIConnectionError, match="connection refused"):
                await client.chat("acme/m", "q")

    uvloop.run(main())
