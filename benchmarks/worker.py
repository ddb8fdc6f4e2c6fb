"""Measures one client library in a process of its own and prints the figures as JSON.

    python worker.py LIBRARY PORT

CPU times are microseconds of this process; wall times milliseconds. Each library is used as its documentation shows.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

TEXT = "Why is the sky blue?"
MESSAGES = [{"role": "user", "content": TEXT}]
TEXTS = ["text"] * 64
STARTED = time.perf_counter()


class Subject:
    """One library: what it does for each measurement; None where it has no such thing."""

    chat: Callable[[], Any]
    achat: Callable[[], Awaitable[Any]]
    stream: Callable[[], int]
    embed: Callable[[], Any] | None = None


def _ours(base_url: str) -> Subject:
    from ipfs_accel import AsyncClient, Client, EndpointConfig

    endpoints = {"bench": EndpointConfig(backend="openai", base_url=base_url, key="sk-bench")}
    client = Client(endpoints=endpoints)
    aclient = AsyncClient(endpoints=endpoints)
    subject = Subject()
    subject.chat = lambda: client.chat("bench/bench", TEXT).text
    subject.achat = lambda: aclient.chat("bench/bench", TEXT)
    subject.stream = lambda: sum(1 for _ in client.stream("bench/bench", TEXT))
    subject.embed = lambda: client.embed("bench/bench", TEXTS).vectors
    return subject


def _httpx(base_url: str) -> Subject:
    import httpx  # noqa: TID251 - the yardstick

    client = httpx.Client()
    holder: list[httpx.AsyncClient] = []
    body = {"model": "bench", "messages": MESSAGES}
    url = f"{base_url}/chat/completions"

    async def achat() -> Any:
        if not holder:
            holder.append(httpx.AsyncClient(limits=httpx.Limits(max_connections=300, max_keepalive_connections=300)))
        return (await holder[0].post(url, json=body)).json()["choices"][0]["message"]["content"]

    def stream() -> int:
        count = 0
        with client.stream("POST", url, json={**body, "stream": True}) as response:
            for line in response.iter_lines():
                if line.startswith("data: ") and line != "data: [DONE]":
                    count += len(json.loads(line[6:])["choices"])
        return count

    subject = Subject()
    subject.chat = lambda: client.post(url, json=body).json()["choices"][0]["message"]["content"]
    subject.achat = achat
    subject.stream = stream
    subject.embed = lambda: client.post(f"{base_url}/embeddings", json={"model": "bench", "input": TEXTS}).json()[
        "data"
    ]
    return subject


def _openai(base_url: str) -> Subject:
    import openai

    client = openai.OpenAI(base_url=base_url, api_key="sk-bench")
    aclient = openai.AsyncOpenAI(base_url=base_url, api_key="sk-bench")
    messages: Any = MESSAGES
    subject = Subject()
    subject.chat = lambda: client.chat.completions.create(model="bench", messages=messages).choices[0].message.content
    subject.achat = lambda: aclient.chat.completions.create(model="bench", messages=messages)
    subject.stream = lambda: sum(
        1 for _ in client.chat.completions.create(model="bench", messages=messages, stream=True)
    )
    subject.embed = lambda: client.embeddings.create(model="bench", input=TEXTS).data
    return subject


def _litellm(base_url: str) -> Subject:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    common: dict[str, Any] = {"model": "openai/bench", "api_base": base_url, "api_key": "sk-bench"}
    subject = Subject()
    subject.chat = lambda: litellm.completion(messages=MESSAGES, **common)
    subject.achat = lambda: litellm.acompletion(messages=MESSAGES, **common)
    subject.stream = lambda: sum(1 for _ in litellm.completion(messages=MESSAGES, stream=True, **common))
    subject.embed = lambda: litellm.embedding(input=TEXTS, **common)
    return subject


def _langchain(base_url: str) -> Subject:
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings

    model = ChatOpenAI(model="bench", base_url=base_url, api_key="sk-bench")
    embeddings = OpenAIEmbeddings(
        model="bench", base_url=base_url, api_key="sk-bench", check_embedding_ctx_length=False
    )
    subject = Subject()
    subject.chat = lambda: model.invoke(TEXT).content
    subject.achat = lambda: model.ainvoke(TEXT)
    subject.stream = lambda: sum(1 for _ in model.stream(TEXT))
    subject.embed = lambda: embeddings.embed_documents(TEXTS)
    return subject


SUBJECTS = {"ipfs-accel": _ours, "httpx": _httpx, "openai": _openai, "litellm": _litellm, "langchain": _langchain}


def cpu(action: Callable[[], Any], seconds: float) -> float:
    """Return the CPU microseconds of one action: the best of three rounds of about `seconds` together."""
    action()
    begin = time.perf_counter()
    action()
    count = max(1, int(seconds / 3 / max(time.perf_counter() - begin, 1e-6)))
    rounds = []
    for _ in range(3):
        used = time.process_time()
        for _ in range(count):
            action()
        rounds.append((time.process_time() - used) / count)
    return min(rounds) * 1e6


async def acpu(action: Callable[[], Awaitable[Any]], at_once: int, calls: int) -> float:
    """Return the CPU microseconds of one of `calls` actions with `at_once` of them under way; best of two rounds."""

    async def worker() -> None:
        for _ in range(max(1, calls // at_once)):
            await action()

    await asyncio.gather(*[action() for _ in range(at_once)])
    rounds = []
    for _ in range(2):
        used = time.process_time()
        await asyncio.gather(*[worker() for _ in range(at_once)])
        rounds.append((time.process_time() - used) / (max(1, calls // at_once) * at_once))
    return min(rounds) * 1e6


async def _concurrent(subject: Subject) -> dict[str, float]:
    return {f"chat, async, {n} at once": await acpu(subject.achat, n, 1024) for n in (8, 32, 256)}


def main() -> None:
    """Measure the library that the command line names."""
    name, port = sys.argv[1], sys.argv[2]
    subject = SUBJECTS[name](f"http://127.0.0.1:{port}/v1")
    figures = {"import and client, ms": (time.perf_counter() - STARTED) * 1e3}
    figures["chat, sync"] = cpu(subject.chat, 1.5)
    chunks = subject.stream()
    figures["one streamed chunk"] = cpu(subject.stream, 1.5) / chunks
    if subject.embed is not None:
        figures["64 embeddings of 1536"] = cpu(subject.embed, 1.5)
    figures |= asyncio.run(_concurrent(subject))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
