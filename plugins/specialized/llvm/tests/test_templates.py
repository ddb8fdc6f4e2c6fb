"""Chat templates: what the model gets, and what llama.cpp makes of them otherwise than the library they are for."""

from __future__ import annotations

import json
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig, Message, Tool
from ipfs_accel import errors as e
from ipfs_accel_llvm._templates import DIFFER, REFUSED, Construct, differing, refused

from conftest import serve

pytest.importorskip("xllamacpp", reason="xllamacpp, the engine, has no wheel for this platform")
gguf = pytest.importorskip("gguf", reason="the package gguf writes the test model")

SHOWN = [
    {"role": "user", "content": "éa"},
    {"role": "assistant", "content": "b"},
    {"role": "user", "content": "they're"},
]
TOOL = Tool(name="f", description="d", parameters={"type": "object", "properties": {}})
CHATML = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"


def with_template(tiny_gguf: Path, folder: Path, template: str) -> Path:
    """Write the model with another chat template of the same length, which leaves the rest of the file as it is."""
    reader = gguf.GGUFReader(tiny_gguf)
    old = bytes(reader.fields["tokenizer.chat_template"].parts[-1])
    content = tiny_gguf.read_bytes()
    assert content.count(old) == 1
    assert len(template.encode()) <= len(old)
    path = folder / "other.gguf"
    path.write_bytes(content.replace(old, template.encode().ljust(len(old))))
    return path


def of_transformers(template: str, messages: list[dict[str, str]]) -> str:
    jinja2 = pytest.importorskip("jinja2", reason="the library that templates are written for is the oracle")
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    assert jinja2
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    made = environment.from_string(template)
    return made.render(messages=messages, tools=None, documents=None, add_generation_prompt=True)


def messages_for(construct: Construct) -> list[dict[str, str]]:
    return [{"role": "system", "content": "s"}, *SHOWN] if "system" in construct.name else SHOWN


def name_of(construct: Construct) -> str:
    return construct.name


@pytest.mark.parametrize("construct", DIFFER, ids=name_of)
def test_what_is_said_to_differ_does(construct: Construct, tiny_gguf: Path) -> None:
    assert construct in differing(construct.example)
    messages = messages_for(construct)
    with serve(tiny_gguf, n_ctx=512, n_parallel=1, chat_template=construct.example, use_jinja=True) as server:
        body = json.dumps({"messages": messages}).encode()
        request = urllib.request.Request(f"{server.url}/apply-template", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            rendered = json.load(answer)["prompt"]
    assert rendered != of_transformers(construct.example, messages)


@pytest.mark.parametrize("construct", REFUSED, ids=name_of)
def test_what_is_said_to_be_refused_is(construct: Construct, tiny_gguf: Path, tmp_path: Path) -> None:
    assert construct in refused(construct.example)
    assert of_transformers(construct.example, SHOWN)
    path = with_template(tiny_gguf, tmp_path, construct.example)
    with Client(Config(environ={})) as client, pytest.raises(e.InvalidRequestError) as caught:
        client.chat(f"llvm/{path}", "q", max_tokens=1)
    assert construct.name in str(caught.value.hint)


@pytest.mark.parametrize(
    "template",
    [
        CHATML,
        "{% if tools %}{{ tools|tojson }}{% endif %}{{ messages|length }}{{ messages[1:]|length }}" + CHATML,
        "{% if not tools is defined %}{% set tools = none %}{% endif %}{% if tools is not none %}{% endif %}system role",
        "{% if enable_thinking is defined and enable_thinking is false %}<think>{% endif %}system",
        "{{ 'a // b ** c|upper .find( %s' }} 7 // 2 {# .join( #} system",
        "{% if loop.index0 % 2 == 0 %}{{ m['content']|trim }}{% endif %}system",
    ],
    ids=["plain", "lists", "tools set", "thinking", "texts", "rest"],
)
def test_what_is_rendered_alike_is_not_named(template: str) -> None:
    assert differing(template.replace("user", "system")) == []
    assert refused(template) == []


@pytest.fixture
def client(llama: Any, tiny_gguf: Path) -> Iterator[Client]:
    endpoints = {
        "server": EndpointConfig(backend="llvm", base_url=llama.url),
        "vllm": EndpointConfig(options={"server": "other"}, base_url=llama.url),
    }
    with Client(Config(environ={}), endpoints=endpoints) as client:
        yield client


@pytest.mark.parametrize("embedded", [False, True])
def test_what_a_model_gets_is_shown(embedded: bool, client: Client, tiny_gguf: Path) -> None:
    where, model = ("llvm", str(tiny_gguf)) if embedded else ("server", "")
    shown = client.call(where, "render", messages="hello", model=model)
    assert shown == "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"
    wire = [{"role": "user", "content": "hello"}]
    assert client.call(where, "render", messages=wire, model=model) == shown
    assert client.call(where, "render", messages=[Message.user("hello")], model=model) == shown
    tokens = client.tokenize(f"{where}/{model}", shown, add_special=True).tokens
    assert client.count_tokens(f"{where}/{model}", "hello").input_tokens == len(tokens)
    with_tools = client.call(where, "render", messages="hello", tools=[TOOL], model=model)
    assert '"name": "f"' in with_tools
    bare = client.call(where, "render", messages="hello", model=model, add_generation_prompt=False)
    assert bare == "<|im_start|>user\nhello<|im_end|>\n"


def test_a_server_that_cannot_show_it_is_named(client: Client) -> None:
    with pytest.raises(e.UnsupportedOperationError, match="render"):
        client.call("vllm", "render", messages="hello")


async def test_the_same_awaited(llama: Any, anyio_backend: str) -> None:
    async with AsyncClient(endpoints={"s": EndpointConfig(backend="llvm", base_url=llama.url)}) as client:
        assert "hello" in await client.call("s", "render", messages="hello")


def test_loading_a_file_whose_template_is_rendered_otherwise_says_so_once(tiny_gguf: Path, tmp_path: Path) -> None:
    path = with_template(tiny_gguf, tmp_path, CHATML.replace("m.content", "m.content|upper"))
    with Client(Config(environ={})) as client:
        with pytest.warns(UserWarning, match=r"other\.gguf uses .* upper and lower \(only ASCII letters change\)"):
            client.chat(f"llvm/{path}", "é", max_tokens=1)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            client.chat(f"llvm/{path}", "é", max_tokens=1)
        assert "é" in client.call("llvm", "render", model=str(path), messages="é")


def test_one_that_is_rendered_alike_says_nothing(tiny_gguf: Path, tmp_path: Path) -> None:
    path = with_template(tiny_gguf, tmp_path, "{% if messages[0].role == 'system' %}{% endif %}" + CHATML)
    with Client(Config(environ={})) as client:
        client.chat(f"llvm/{path}", "q", max_tokens=1)
