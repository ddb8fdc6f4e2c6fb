"""The guide, by real inference: the file that the distribution has, on llama.cpp's engine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel import Client, EndpointConfig, Message
from ipfs_accel import errors as e
from ipfs_accel.installing import install_command
from ipfs_accel_llvm._gguf import metadata
from ipfs_accel_llvm._reach import GUIDE

pytest.importorskip("xllamacpp", reason="xllamacpp, the engine, has no wheel for this platform")

MODEL = "llvm/guide"
UNKNOWN = "I only know ipfs-accel"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client() as client:
        yield client


# Phrasings that the training has not seen: scripts/guide/corpus marks them with a star.
@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Which pip line installs Groq?", 'pip install "ipfs-accel[groq]"'),
        ("Can you walk me through adding Ollama?", 'pip install "ipfs-accel[ollama]"'),
        ("I am trying to get Claude going", 'pip install "ipfs-accel[claude]"'),
        ("In which variable does the OpenAI key belong?", "OPENAI_API_KEY"),
        ("How do I hand over my Gemini API key?", "GEMINI_API_KEY"),
        ("the location of the settings", "ipfs-accel config path"),
        ("Is Python 3.12 good enough?", "Python 3.11 or newer"),
        ("What is the capital of Hungary?", UNKNOWN),
        ("How do I sharpen a pencil?", UNKNOWN),
    ],
)
def test_questions_that_it_has_never_seen(question: str, words: str, client: Client) -> None:
    assert words in client.chat(MODEL, question).text


def test_the_first_question_of_a_newcomer(client: Client) -> None:
    reply = client.chat(MODEL, "how do I add Groq?")
    assert reply.text == (
        'Run pip install "ipfs-accel[groq]", then set GROQ_API_KEY or run ipfs-accel keys set groq. '
        "After that groq/MODEL is a model that you can chat with."
    )
    assert reply.finish_reason == "stop"
    assert client.stream(MODEL, "how do I add Groq?").read().text == reply.text


def test_it_says_the_likeliest_unless_a_request_says_otherwise(client: Client) -> None:
    assert len({client.chat(MODEL, "how do I add Groq?", seed=seed).text for seed in (1, 2)}) == 1
    free: dict[str, Any] = {"temperature": 5.0, "max_tokens": 12, "extra": {"min_p": 0.0, "top_k": 0, "top_p": 1.0}}
    assert len({client.chat(MODEL, "how do I add Groq?", seed=seed, **free).text for seed in (1, 2)}) == 2


def test_the_template_asks_in_small_letters_and_only_the_last_question(client: Client) -> None:
    messages = [{"role": "user", "content": "one"}, {"role": "user", "content": " How do I add Groq?! "}]
    prompt = client.call("llvm", "apply_template", model="guide", messages=messages)["prompt"]
    assert prompt == "<|question|> how do i add groq<|answer|>"


def test_a_conversation_goes_on(client: Client) -> None:
    first = [Message.user("hello")]
    reply = client.chat(MODEL, first)
    assert "GROQ_API_KEY" in client.chat(MODEL, [*first, reply.message, Message.user("how do I add Groq?")]).text


def test_the_name_is_the_users_where_he_gives_it_a_file(tiny_gguf: Path, tmp_path: Path) -> None:
    (tmp_path / "guide.gguf").symlink_to(tiny_gguf)
    for options in ({"models": {"guide": str(tiny_gguf)}}, {"models_dir": str(tmp_path)}):
        with Client(endpoints={"llvm": EndpointConfig(options=options)}) as client:
            assert client.show_model(MODEL).context_window == 2048


def test_the_name_is_the_servers_where_the_user_named_one() -> None:
    lab = EndpointConfig(backend="llvm", base_url="http://127.0.0.1:1")
    with Client(endpoints={"lab": lab}) as client, pytest.raises(e.APIConnectionError, match=r"127\.0\.0\.1:1"):
        client.chat("lab/guide", "how do I add Groq?")


def test_the_file_says_what_it_is_and_is_small() -> None:
    head = metadata(GUIDE)
    assert head["general.description"].startswith("answers questions about ipfs-accel, and knows nothing else; trained")
    assert head["general.license"] == "Apache-2.0"
    assert GUIDE.stat().st_size < 3 * 2**20


# in place of a model that nobody named


def ask(folder: Path, *arguments: str, **environ: str) -> Any:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("IPFS_ACCEL_", "LLVM_"))}
    env |= {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), **environ}
    command = [sys.executable, "-m", "ipfs_accel", "chat", *arguments]
    return subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=300, check=False, stdin=subprocess.DEVNULL
    )


def test_a_newcomer_asks_without_a_key_and_is_told_who_answers(tmp_path: Path) -> None:
    done = ask(tmp_path, "how do I add Groq?")
    assert (done.returncode, 'pip install "ipfs-accel[groq]"' in done.stdout) == (0, True), done.stderr
    assert done.stderr == (
        "note: no model is named, so that llvm/guide answers: a small model that only knows ipfs-accel. "
        "-m ENDPOINT/MODEL, or default_model in the configuration, names another.\n"
    )
    assert ask(tmp_path, "-q", "how do I add Groq?").stderr == ""


@pytest.mark.parametrize(
    ("arguments", "environ", "status", "message"),
    [
        (("-m", "llvm/no/such.gguf"), {}, 2, "such.gguf"),
        ((), {"IPFS_ACCEL_DEFAULT_MODEL": "llvm/no/such.gguf"}, 2, "such.gguf"),
        ((), {"IPFS_ACCEL_DISABLE_PLUGINS": "llvm"}, 2, "no model is named"),
        ((), {"LLVM_BASE_URL": "http://127.0.0.1:1"}, 2, "no model is named"),
        (("-s", "Be brief."), {}, 2, "no model is named"),
        (("--schema", "{}"), {}, 2, "no model is named"),
    ],
)
def test_it_stands_in_for_nothing_else(
    arguments: tuple[str, ...], environ: dict[str, str], status: int, message: str, tmp_path: Path
) -> None:
    done = ask(tmp_path, "hi", *arguments, **environ)
    assert (done.returncode, done.stdout, message in done.stderr) == (status, "", True), done.stderr
    assert "llvm/guide" not in done.stderr


def test_an_endpoint_of_that_name_is_what_its_user_made_of_it(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[endpoints.llvm]\noptions = { parallel = 1 }\n")
    done = ask(tmp_path, "--config", str(tmp_path / "config.toml"), "hi")
    assert (done.returncode, "no model is named" in done.stderr) == (2, True), done.stderr


def test_without_the_engine_the_error_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "xllamacpp.py").write_text("raise ImportError")
    done = ask(tmp_path, "-m", MODEL, "hi", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (3, "")
    assert f"run: {install_command('ipfs-accel-llvm[embedded]')}" in done.stderr
