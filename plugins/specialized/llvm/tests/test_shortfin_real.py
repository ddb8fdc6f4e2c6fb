"""Against IREE's own shortfin server, with a toy model that is compiled here: it goes on counting, w7 after w6."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel import Client, EndpointConfig
from ipfs_accel import errors as e

from conftest import free_port, peer_python, started

pytestmark = pytest.mark.peer

VOCABULARY = 64
REQUIREMENTS = (
    "iree-base-compiler==3.9.0",
    "iree-base-runtime==3.9.0",
    "shortfin==3.9.0",
    "fastapi",
    "uvicorn",
    "tokenizers",
    "dataclasses-json",
    "numpy",
)
FUNCTION = """
func.func @{name}({tokens}: tensor<{n}x?xi64>, %lengths: tensor<{n}xi64>, {more}%blocks: tensor<{n}x?xi64>, %cache: tensor<?x?xf16>) -> tensor<{n}x?x{v}xf16> {{
  %axis = arith.constant 1 : index
  %one = arith.constant 1 : i64
  %high = arith.constant 10.0 : f16
  %low = arith.constant 0.0 : f16
  %size = tensor.dim {tokens}, %axis : tensor<{n}x?xi64>
  %empty = tensor.empty(%size) : tensor<{n}x?x{v}xf16>
  %logits = linalg.generic {{
      indexing_maps = [affine_map<(b, s, v) -> (b, s)>, affine_map<(b, s, v) -> (b, s, v)>],
      iterator_types = ["parallel", "parallel", "parallel"]
    }} ins({tokens} : tensor<{n}x?xi64>) outs(%empty : tensor<{n}x?x{v}xf16>) {{
  ^bb0(%token: i64, %old: f16):
    %place = linalg.index 2 : index
    %candidate = arith.index_cast %place : index to i64
    %next = arith.addi %token, %one : i64
    %is = arith.cmpi eq, %candidate, %next : i64
    %logit = arith.select %is, %high, %low : f16
    linalg.yield %logit : f16
  }} -> tensor<{n}x?x{v}xf16>
  return %logits : tensor<{n}x?x{v}xf16>
}}
"""
CONFIG = {
    "module_name": "module", "module_abi_version": 1, "max_seq_len": 256, "attn_head_dim": 4,
    "prefill_batch_sizes": [1, 4], "decode_batch_sizes": [1, 4], "transformer_block_count": 1,
    "paged_kv_cache": {"attention_head_count_kv": 1, "block_seq_stride": 16, "device_block_count": 16, "kv_cache_dtype": "float16",
                       "paged_kv_block_size_elements_per_device": [128]},
}  # fmt: skip


def write_model(python: Path, folder: Path) -> None:
    functions = []
    for size in (1, 4):
        common = {"tokens": "%tokens", "n": size, "v": VOCABULARY}
        functions.append(FUNCTION.format(name=f"prefill_bs{size}", more="", **common))
        starts = f"%starts: tensor<{size}xi64>, "
        functions.append(FUNCTION.format(name=f"decode_bs{size}", more=starts, **common))
    (folder / "model.mlir").write_text("module @module {" + "".join(functions) + "}\n")
    command = [
        str(python.parent / "iree-compile"), "--iree-hal-target-device=local", "--iree-hal-local-target-device-backends=llvm-cpu",
        "--iree-llvmcpu-target-cpu=generic", "--iree-execution-model=async-external", "model.mlir", "-o", "model.vmfb",
    ]  # fmt: skip
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=600)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    words = {"<unk>": 0, **{f"w{index}": index for index in range(1, VOCABULARY - 1)}, "<eos>": VOCABULARY - 1}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": words, "unk_token": "<unk>"},
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<eos>"}))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    python = peer_python("shortfin", *REQUIREMENTS)
    folder = tmp_path_factory.mktemp("shortfin")
    write_model(python, folder)
    port = free_port()
    command = [
        str(python), "-m", "shortfin_apps.llm.server", "--device", "local-task", "--tokenizer_json", str(folder / "tokenizer.json"),
        "--model_config", str(folder / "config.json"), "--vmfb", str(folder / "model.vmfb"), "--parameters", "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    with started(command, f"http://127.0.0.1:{port}/health"):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    options: dict[str, Any] = {"serves": "toy"}
    with Client(
        endpoints={"lab": EndpointConfig(backend="llvm", base_url=url, options=options)}, timeout=300
    ) as client:
        yield client


def test_it_is_recognised_and_healthy(client: Client) -> None:
    health = client.healthcheck("lab")
    assert (health.status, health.server) == ("ok", "shortfin")
    assert [model.id for model in client.list_models("lab")] == ["toy"]
    with pytest.raises(e.UnsupportedOperationError, match="is shortfin"):
        client.chat("lab/toy", "hi")


def test_texts_and_token_ids(client: Client) -> None:
    assert client.complete("lab/toy", "w5 w6", max_tokens=3).text.split() == ["w7", "w8", "w9"]
    assert client.complete("lab/toy", [5, 6], max_tokens=3).text.split() == ["w7", "w8", "w9"]
    assert client.stream_complete("lab/toy", "w5 w6", max_tokens=3).read().text.split() == ["w7", "w8", "w9"]


def test_several_texts_in_their_order_with_equal_ones_among_them(client: Client) -> None:
    reply = client.complete("lab/toy", ["w5", "w20", "w5"], max_tokens=2)
    assert [choice.text.split() for choice in reply.choices] == [["w6", "w7"], ["w21", "w22"], ["w6", "w7"]]
    twice = client.complete("lab/toy", "w5", n=2, max_tokens=2)
    assert [choice.text.split() for choice in twice.choices] == [["w6", "w7"]] * 2


def test_a_batch_beyond_its_queue(client: Client) -> None:
    prompts = [f"w{index}" for index in range(1, 11)]
    reply = client.complete("lab/toy", prompts, max_tokens=1)
    assert [choice.text.split() for choice in reply.choices] == [[f"w{index}"] for index in range(2, 12)]


def test_more_memory_than_there_is(client: Client) -> None:
    with pytest.raises(e.OverloadedError) as caught:
        client.complete("lab/toy", "w5", max_tokens=4000)
    assert caught.value.code == "KVCACHE_PAGES_FULL"
