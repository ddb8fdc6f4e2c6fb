"""The libraries that `installed.py` and `refused.py` put beside ipfs-accel: how each is got, and used without settings.

A library is used as its documentation begins: with its client for OpenAI's API, at another base URL.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

KEY = "sk-bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """One library, or one way to use it.

    Attributes:
        name: As it is shown.
        requirement: What pip is told; empty for ipfs-accel, which is that of the working tree.
        setup: Lines that import it and make what asks; `root` is the base URL.
        tries: What is put where `setup` or `ask` say TRIES, for a prompt to be tried twelve times at most.
        ask: An expression that is the text of the answer to `prompt`.
        is_async: Whether `ask` awaits; otherwise many prompts are asked in threads.
    """

    name: str
    requirement: str
    setup: str
    ask: str
    tries: str = ", max_retries=11"
    is_async: bool = True

    def program(self, *, patient: bool = False) -> str:
        """Return a program of the arguments ROOT and COUNT.

        It asks so many prompts at once, and prints how many had an answer and the names of the errors that the others
        had.
        """
        asking = (_AWAITED if self.is_async else _IN_THREADS).replace("ASK", self.ask)
        text = "\n".join([_HEAD, textwrap.dedent(self.setup).strip(), asking, _TELL])
        return text.replace("TRIES", self.tries if patient else "")


_HEAD = """\
import sys
root, count = sys.argv[1] + "/v1", int(sys.argv[2])
prompts = [f"What is {number}?" for number in range(count)]
"""
_AWAITED = """\
import asyncio
async def one(prompt):
    return ASK
async def main():
    return await asyncio.gather(*[one(prompt) for prompt in prompts], return_exceptions=True)
answers = asyncio.run(main())
"""
_IN_THREADS = """\
from concurrent.futures import ThreadPoolExecutor
def one(prompt):
    try:
        return ASK
    except Exception as error:
        return error
with ThreadPoolExecutor(count) as pool:
    answers = list(pool.map(one, prompts))
"""
_TELL = """\
import json
print(json.dumps({"answered": sum(isinstance(each, str) for each in answers),
                  "errors": sorted({type(each).__name__ for each in answers if not isinstance(each, str)})}))
"""
_MESSAGES = '[{"role": "user", "content": prompt}]'


OURS = Library(
    name="ipfs-accel",
    requirement="",
    setup=f"""
        from ipfs_accel import AsyncClient, EndpointConfig, RetryConfig
        endpoint = EndpointConfig(backend="openai", base_url=root, key="{KEY}"TRIES)
        client = AsyncClient(endpoints={{"bench": endpoint}})
    """,
    ask="(await client.chat('bench/bench', prompt)).text",
    tries=", retry=RetryConfig(attempts=12, budget=100_000)",
)
PEERS = (
    Library(
        name="openai",
        requirement="openai",
        setup=f"""
            import openai
            client = openai.AsyncOpenAI(base_url=root, api_key="{KEY}"TRIES)
        """,
        ask=f"(await client.chat.completions.create(model='bench', messages={_MESSAGES})).choices[0].message.content",
    ),
    Library(
        name="aisuite",
        requirement="aisuite[openai]",
        setup=f"""
            import aisuite
            client = aisuite.Client({{"openai": {{"base_url": root, "api_key": "{KEY}"TRIES}}}})
        """,
        tries=', "max_retries": 11',
        ask=f"client.chat.completions.create(model='openai:bench', messages={_MESSAGES}).choices[0].message.content",
        is_async=False,
    ),
    Library(
        name="any-llm",
        requirement="any-llm-sdk[openai]",
        setup=f"""
            from any_llm import AnyLLM
            client = AnyLLM.create("openai", api_base=root, api_key="{KEY}"TRIES)
        """,
        ask=f"(await client.acompletion(model='bench', messages={_MESSAGES})).choices[0].message.content",
    ),
    Library(
        name="pydantic-ai",
        requirement="pydantic-ai-slim[openai]",
        setup=f"""
            from pydantic_ai import Agent
            from pydantic_ai.models.openai import OpenAIChatModel
            from pydantic_ai.providers.openai import OpenAIProvider
            from openai import AsyncOpenAI
            client = AsyncOpenAI(base_url=root, api_key="{KEY}"TRIES)
            agent = Agent(OpenAIChatModel("bench", provider=OpenAIProvider(openai_client=client)))
        """,
        ask="(await agent.run(prompt)).output",
    ),
    Library(
        name="langchain",
        requirement="langchain-openai",
        setup=f"""
            from langchain_openai import ChatOpenAI
            model = ChatOpenAI(model="bench", base_url=root, api_key="{KEY}"TRIES)
        """,
        ask="(await model.ainvoke(prompt)).content",
    ),
    Library(
        name="litellm",
        requirement="litellm",
        setup=f"""
            import os
            os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it fetches its list of prices
            import litellm
            where = dict(base_url=root, api_key="{KEY}"TRIES)
        """,
        ask=f"(await litellm.acompletion('openai/bench', {_MESSAGES}, **where)).choices[0].message.content",
    ),
)
