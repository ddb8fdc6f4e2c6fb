"""The libraries that are measured, each used as its documentation shows, with a connection that is kept.

A subject has a method for each action of `figures`; what it has not, it is not measured in. `seen[0]` counts the events
of a stream: the server's pacing goes by it. `first` is a program of its own, as what a process costs begins with its
imports.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
from array import array
from collections.abc import Iterator, MutableSequence
from functools import cache
from typing import Any

from figures import TEXT, VECTORS

Seen = MutableSequence[int]

MESSAGES: list[Any] = [{"role": "user", "content": TEXT}]
TEXTS = ["text"] * VECTORS
KEY = "sk-bench"
PATHS = ("v1", "paced/v1", "floats/v1")


class Ours:
    """ipfs-accel, of whatever revision is installed: public names only."""

    module = "ipfs_accel"
    first = f"""
import sys
from ipfs_accel import Client, EndpointConfig
endpoint = EndpointConfig(backend="openai", base_url=sys.argv[1] + "/v1", key="{KEY}")
assert Client(endpoints={{"bench": endpoint}}).chat("bench/bench", "{TEXT}").text
"""

    def __init__(self, root: str) -> None:
        from ipfs_accel import AsyncClient, Client, EndpointConfig

        places = {
            path.removesuffix("v1").strip("/") or "bench": EndpointConfig(
                backend="openai", base_url=f"{root}/{path}", key=KEY
            )
            for path in PATHS
        }
        self._client, self._aclient = Client(endpoints=places), AsyncClient(endpoints=places)

    @staticmethod
    def _model(path: str) -> str:
        return f"{path.removesuffix('v1').strip('/') or 'bench'}/bench"

    def chat(self) -> str:
        return self._client.chat("bench/bench", TEXT).text

    async def achat(self) -> str:
        return (await self._aclient.chat("bench/bench", TEXT)).text

    def stream(self, path: str, seen: Seen) -> None:
        with self._client.stream(self._model(path), TEXT) as stream:
            for _ in stream:
                seen[0] += 1

    async def astream(self, path: str, seen: Seen) -> None:
        async with self._aclient.stream(self._model(path), TEXT) as stream:
            async for _ in stream:
                seen[0] += 1

    def embed(self, path: str) -> Any:
        return self._client.embed(self._model(path), TEXTS).vectors


class OpenAI:
    """OpenAI's own SDK."""

    module = "openai"
    first = f"""
import sys
import openai
client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="{KEY}")
messages = [{{"role": "user", "content": "{TEXT}"}}]
assert client.chat.completions.create(model="bench", messages=messages).choices[0].message.content
"""

    def __init__(self, root: str) -> None:
        import openai

        self._clients = {path: openai.OpenAI(base_url=f"{root}/{path}", api_key=KEY) for path in PATHS}
        self._aclients = {path: openai.AsyncOpenAI(base_url=f"{root}/{path}", api_key=KEY) for path in PATHS}

    def chat(self) -> str | None:
        answer = self._clients["v1"].chat.completions.create(model="bench", messages=MESSAGES)
        return answer.choices[0].message.content

    async def achat(self) -> str | None:
        answer = await self._aclients["v1"].chat.completions.create(model="bench", messages=MESSAGES)
        return answer.choices[0].message.content

    def stream(self, path: str, seen: Seen) -> None:
        for _ in self._clients[path].chat.completions.create(model="bench", messages=MESSAGES, stream=True):
            seen[0] += 1

    async def astream(self, path: str, seen: Seen) -> None:
        client = self._aclients[path]
        async for _ in await client.chat.completions.create(model="bench", messages=MESSAGES, stream=True):
            seen[0] += 1

    def embed(self, path: str) -> Any:
        return self._clients[path].embeddings.create(model="bench", input=TEXTS).data


class ByHand:
    """Splits the lines of a stream and hands each event to json.loads."""

    def __init__(self) -> None:
        self._rest = b""

    def events(self, data: bytes) -> Iterator[Any]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data: ") and line != b"data: [DONE]":
                yield json.loads(line[6:])["choices"]


class Httpx:
    """Raw httpx: chats with its own JSON, streams split by hand, embeddings with orjson."""

    module = "httpx"
    first = f"""
import sys
import httpx
body = {{"model": "bench", "messages": [{{"role": "user", "content": "{TEXT}"}}]}}
assert httpx.Client().post(sys.argv[1] + "/v1/chat/completions", json=body).json()["choices"][0]["message"]["content"]
"""

    def __init__(self, root: str) -> None:
        import httpx  # noqa: TID251 - the yardstick

        self._root = root
        self._client = httpx.Client()
        self._aclient = httpx.AsyncClient(limits=httpx.Limits(max_connections=300, max_keepalive_connections=300))

    def _chat(self, path: str, **more: Any) -> dict[str, Any]:
        return {
            "url": f"{self._root}/{path}/chat/completions",
            "json": {"model": "bench", "messages": MESSAGES, **more},
        }

    def chat(self) -> str:
        return self._client.post(**self._chat("v1")).json()["choices"][0]["message"]["content"]

    async def achat(self) -> str:
        return (await self._aclient.post(**self._chat("v1"))).json()["choices"][0]["message"]["content"]

    def stream(self, path: str, seen: Seen) -> None:
        by_hand = ByHand()
        with self._client.stream("POST", **self._chat(path, stream=True)) as response:
            for data in response.iter_raw():
                for _ in by_hand.events(data):
                    seen[0] += 1

    async def astream(self, path: str, seen: Seen) -> None:
        by_hand = ByHand()
        async with self._aclient.stream("POST", **self._chat(path, stream=True)) as response:
            async for data in response.aiter_raw():
                for _ in by_hand.events(data):
                    seen[0] += 1

    def embed(self, path: str) -> Any:
        import orjson

        in_floats = path.startswith("floats")
        asked = {"model": "bench", "input": TEXTS, "encoding_format": "float" if in_floats else "base64"}
        body = orjson.dumps(asked)
        answer = self._client.post(f"{self._root}/{path}/embeddings", content=body)
        found = [each["embedding"] for each in orjson.loads(answer.content)["data"]]
        return found if in_floats else [array("f", base64.b64decode(each)) for each in found]


class Socket:
    """A plain socket, which is as cheap as a stream can be: no headers read, no length of a chunk looked at."""

    module = "socket"

    def __init__(self, root: str) -> None:
        host, port = root.removeprefix("http://").split(":")
        self._place = (host, int(port))
        self._socket = socket.create_connection(self._place)
        self._pair: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def _request(self, path: str) -> bytes:
        body = json.dumps({"model": "bench", "messages": MESSAGES, "stream": True}).encode()
        head = f"POST /{path}/chat/completions HTTP/1.1", f"host: {self._place[0]}", f"content-length: {len(body)}"
        return "\r\n".join([*head, "", ""]).encode() + body

    def stream(self, path: str, seen: Seen) -> None:
        by_hand, data = ByHand(), b""
        self._socket.sendall(self._request(path))
        while not data.endswith(b"0\r\n\r\n"):
            data = self._socket.recv(65536)
            for _ in by_hand.events(data):
                seen[0] += 1

    async def astream(self, path: str, seen: Seen) -> None:
        if self._pair is None:
            self._pair = await asyncio.open_connection(*self._place)
        reader, writer = self._pair
        by_hand, data = ByHand(), b""
        writer.write(self._request(path))
        while not data.endswith(b"0\r\n\r\n"):
            data = await reader.read(65536)
            for _ in by_hand.events(data):
                seen[0] += 1


class LiteLLM:
    """litellm, with its list of prices as installed."""

    module = "litellm"

    def __init__(self, root: str) -> None:
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
        import litellm

        self._litellm, self._root = litellm, root

    def _at(self, path: str) -> dict[str, Any]:
        return {"model": "openai/bench", "api_base": f"{self._root}/{path}", "api_key": KEY}

    def chat(self) -> Any:
        return self._litellm.completion(messages=MESSAGES, **self._at("v1"))

    async def achat(self) -> Any:
        return await self._litellm.acompletion(messages=MESSAGES, **self._at("v1"))

    def stream(self, path: str, seen: Seen) -> None:
        for _ in self._litellm.completion(messages=MESSAGES, stream=True, **self._at(path)):
            seen[0] += 1

    def embed(self, path: str) -> Any:
        return self._litellm.embedding(input=TEXTS, **self._at(path))


class LangChain:
    """langchain-openai."""

    module = "langchain_openai"

    def __init__(self, root: str) -> None:
        self._root = root

    @cache  # noqa: B019 - there is one of them in a process
    def _model(self, path: str) -> Any:
        from langchain_openai import ChatOpenAI

        return ChatOpenAI(model="bench", base_url=f"{self._root}/{path}", api_key=KEY)  # type: ignore[arg-type]

    @cache  # noqa: B019 - there is one of them in a process
    def _embeddings(self, path: str) -> Any:
        from langchain_openai import OpenAIEmbeddings

        return OpenAIEmbeddings(
            model="bench", base_url=f"{self._root}/{path}", api_key=KEY, check_embedding_ctx_length=False
        )  # type: ignore[arg-type]

    def chat(self) -> Any:
        return self._model("v1").invoke(TEXT).content

    async def achat(self) -> Any:
        return (await self._model("v1").ainvoke(TEXT)).content

    def stream(self, path: str, seen: Seen) -> None:
        for _ in self._model(path).stream(TEXT):
            seen[0] += 1

    def embed(self, path: str) -> Any:
        return self._embeddings(path).embed_documents(TEXTS)


SUBJECTS: dict[str, type[Any]] = {
    "ipfs-accel": Ours,
    "openai": OpenAI,
    "httpx": Httpx,
    "socket": Socket,
    "litellm": LiteLLM,
    "langchain": LangChain,
}
