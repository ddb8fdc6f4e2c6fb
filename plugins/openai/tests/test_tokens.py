from __future__ import annotations

import struct
from typing import Any

import pytest
from ipfs_accel import Client, EndpointConfig, Image, Message, Tool
from ipfs_accel.types import ChatRequest, Document, ToolCall
from ipfs_accel.wire import openai_tokens
from ipfs_accel_openai import _tokens
from ipfs_accel_openai._pictures import image_tokens

LOCAL = EndpointConfig(backend="openai", base_url="http://127.0.0.1:9/v1", key="")


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)


TILED = [
    ("gpt-4o", "low", (4000, 3000), 85),
    ("gpt-4o", None, (1024, 1024), 85 + 4 * 170),
    ("gpt-4o", "high", (2048, 4096), 85 + 6 * 170),
    ("gpt-4o-mini", None, (512, 512), 2833 + 5667),
    ("gpt-5", None, (1024, 1024), 70 + 4 * 140),
    ("o3", None, (1024, 1024), 75 + 4 * 150),
    ("gpt-4.1-mini", "auto", (1024, 1024), 1659),
    ("gpt-5.2", "auto", (1024, 1024), 1229),
    ("gpt-6-sol", "low", (4096, 4096), 308),
]


@pytest.mark.parametrize(("model", "detail", "size", "expected"), TILED)
def test_what_a_picture_costs(model: str, detail: str | None, size: tuple[int, int], expected: int) -> None:
    assert image_tokens(Image(data=png(*size), detail=detail), model) == expected


def test_a_picture_elsewhere_counts_as_one_of_usual_size() -> None:
    assert image_tokens(Image(url="https://x.test/a.png"), "gpt-4o") == 85 + 4 * 170


def test_a_chat_is_counted_offline_by_the_published_encoding() -> None:
    pytest.importorskip("bpe_openai", reason="the encodings come with it")
    with Client(endpoints={"local": LOCAL}) as client:
        plain = client.count_tokens("local/gpt-4o", "Say hi")
        named = client.count_tokens("local/gpt-4o", Message(role="user", content="Say hi", name="Ann"))
        tool = client.count_tokens("local/gpt-4o", "Say hi", tools=[Tool(name="f", description="d")])
        calls = client.count_tokens(
            "local/gpt-4o", ["Say hi", Message.assistant(ToolCall(id="c", name="f")), Message.tool("c", "17")]
        )
        special = client.count_tokens("local/gpt-4o", "<|endoftext|>")
    assert (plain.input_tokens, plain.exact, plain.method) == (9, False, "bpe-openai o200k_base")
    assert named.input_tokens > plain.input_tokens + 1
    assert tool.input_tokens > plain.input_tokens + 9
    assert calls.input_tokens > plain.input_tokens + 6
    assert special.input_tokens > 7


@pytest.mark.parametrize(
    ("model", "encoding"),
    [("gpt-4o-mini", "o200k_base"), ("gpt-4-turbo", "cl100k_base"), ("gpt-3.5-turbo", "cl100k_base"), ("gpt-9", "o200k_base"), ("gpt-4.1", "o200k_base")],
)  # fmt: skip
def test_a_model_has_an_encoding_even_if_it_is_new(model: str, encoding: str) -> None:
    assert _tokens.encoding_of(model) == encoding


def test_without_any_tokenizer_it_is_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_name: str, *_rest: Any) -> None:
        return None

    monkeypatch.setattr(openai_tokens, "find_spec", absent)
    openai_tokens._counter.cache_clear()
    try:
        with Client(endpoints={"local": LOCAL}) as client:
            found = client.count_tokens("local/gpt-4o", "a" * 400)
    finally:
        openai_tokens._counter.cache_clear()
    assert (found.input_tokens, found.exact, found.method) == (3 + 3 + 1 + 100, False, "estimate")


def test_ranks_that_tiktoken_would_have_to_download_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(openai_tokens, "find_spec", lambda _name: object())
    assert not openai_tokens._has_tiktoken_ranks("o200k_base")
    (tmp_path / "fb374d419588a4632f3f557e76b4b70aebbca790").write_bytes(b"")
    assert openai_tokens._has_tiktoken_ranks("o200k_base")


def test_a_document_that_is_text_is_counted() -> None:
    plain, longer = [
        _tokens.count(ChatRequest(model="gpt-4o", messages=(Message.user("q", Document(data=data, name="a.txt")),)))
        for data in (b"Why", b"Why is the sky blue? " * 100)
    ]
    assert longer.input_tokens > plain.input_tokens + 500


def test_an_estimate_counts_by_the_published_encoding_and_rules() -> None:
    pytest.importorskip("bpe_openai", reason="the encodings come with it")
    with Client() as client:
        known = client.count_tokens("openai/gpt-4o", "Say hi", offline=True)
        newer = client.count_tokens("openai/gpt-6-sol", "Say hi", offline=True)
        seen = client.estimate("openai/gpt-4o", [Message.user("a", Image(data=png(1024, 1024)))])
        unseen = client.estimate("openai/gpt-4o", [Message.user("a", Image(url="https://x.test/a.png"))])
        dear = client.estimate("openai/gpt-4o", "Say hi", max_tokens=10)
    assert (known.method, known.input_tokens, newer.method) == ("bpe-openai o200k_base", 9, "estimate")
    assert (known.low, known.exact) == (2, False)
    assert seen.input_tokens.low == 1 + 85
    assert seen.input_tokens.high > 85 + 4 * 170
    assert (unseen.input_tokens.high, unseen.unknown) == (None, ("messages[0].content[1]: image",))
    assert dear.cost.low == 2 * 1.25 / 1e6
    assert dear.cost.high == (dear.input_tokens.high * 2.5 + 10 * 10) / 1e6


def test_another_server_of_the_dialect_has_rules_of_its_own() -> None:
    with Client(endpoints={"local": LOCAL}) as client:
        found = client.estimate("local/gpt-4o", "Say hi", max_tokens=10)
    assert (found.method, found.cost, found.output_method) == ("estimate", None, "max_tokens")
