"""The libraries that `installed.py` and `refused.py` put beside ipfs-accel: how each is got, and used without settings.

A library is used as its documentation begins: with its client for OpenAI's API, at another base URL. `first` is a
program of its own, from its imports to the first answer; `crowd` asks many prompts at once and counts the answers.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from figures import TEXT

KEY = "sk-bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """One library.

    Attributes:
        name: As it is shown.
        requirement: What pip is told; empty for ipfs-accel itself.
        setup: Lines that import it and make what asks; `root` is the server's address.
        ask: An expression with the text of the answer to `prompt`.
        is_async: Whether `ask` is to be awaited; otherwise many prompts are asked in threads.
    """

    name: str
    requirement: str
    setup: str
    ask: str
    is_async: bool = True

    def first(self) -> str:
        """Return the program that asks once; its argument is the server's address."""
        lines = [
            f"prompt = {TEXT!r}",
            "async def main():",
            f"    assert {'await ' * self.is_async}{self.ask}" if self.is_async else "    pass",
            "import asyncio; asyncio.run(main())" if self.is_async else f"assert {self.ask}",
        ]
        return "\n".join([_HEAD, textwrap.dedent(self.setup).strip(), *lines])

    def crowd(self) -> str:
        """Return the program that asks `sys.argv[2]` prompts at once, and prints how many were answered, and errors."""
        body = _AWAITED if self.is_async else _IN_THREADS
        awaited = f"await {self.ask}" if self.is_async else self.ask
        return "\n".join([_HEAD, textwrap.dedent(self.setup).strip(), body.replace("ASK", awaited), _COUNT])


_HEAD = """\
import os, sys
root = sys.argv[1] + "/v1"
"""
_AWAITED = """
import asyncio
async def one(prompt):
    return ASK
async def main():
    return await asyncio.gather(*[one(f"{number}") for number in range(int(sys.argv[2]))], return_exceptions=True)
answers = asyncio.run(main())
"""
_IN_THREADS = """
from concurrent.futures import ThreadPoolExecutor
def one(prompt):
    try:
        return ASK
    except Exception as error:
        return error
with ThreadPoolExecutor(int(sys.argv[2])) as pool:
    answers = list(pool.map(one, [f"{number}" for number in range(int(sys.argv[2]))]))
"""
_COUNT = """
import collections, json
failed = collections.Counter(type(each).__name__ for each in answers if not isinstance(each, str))
print(json.dumps([sum(isinstance(each, str) for each in answers), failed]))
"""
_OURS = f"""
    from ipfs_accel import AsyncClient, EndpointConfig
    client = AsyncClient(endpoints={{"bench": EndpointConfig(backend="openai", base_url=root, key="{KEY}"LIMITS)}})
"""
_ASK_OURS = "(await client.chat('bench/bench', prompt)).text"

LIBRARIES = (
    Library(name="ipfs-accel", requirement="", setup=_OURS.replace("LIMITS", ""), ask=_ASK_OURS),
)
