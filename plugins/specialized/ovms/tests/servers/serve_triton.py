"""Run Triton with the tests' models: `serve_triton.py HTTP_PORT GRPC_PORT METRICS_PORT`."""

import signal
import sys
from typing import Any

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

KINDS = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
    "BYTES": np.bytes_,
}


@batch
def echo(**inputs: np.ndarray) -> dict[str, np.ndarray]:
    return {f"{name}_out": value for name, value in inputs.items()}


@batch
def scale(x: np.ndarray) -> dict[str, np.ndarray]:
    if (x < 0).any():
        raise ValueError("a value is negative")
    return {"doubled": x * 2, "total": x.sum(axis=1, keepdims=True).astype(np.int64)}


def end(*_: Any) -> None:
    sys.exit()


def main(http: int, grpc: int, metrics: int) -> None:
    config = TritonConfig(
        http_address="127.0.0.1",
        http_port=http,
        grpc_address="127.0.0.1",
        grpc_port=grpc,
        metrics_address="127.0.0.1",
        metrics_port=metrics,
        exit_on_error=False,
    )
    eight = ModelConfig(max_batch_size=8)
    with Triton(config=config) as triton:
        triton.bind(
            model_name="echo",
            infer_func=echo,
            inputs=[Tensor(name=name, dtype=kind, shape=(-1,)) for name, kind in KINDS.items()],
            outputs=[Tensor(name=f"{name}_out", dtype=kind, shape=(-1,)) for name, kind in KINDS.items()],
            config=eight,
        )
        triton.bind(
            model_name="scale",
            infer_func=scale,
            inputs=[Tensor(name="x", dtype=np.float32, shape=(3,))],
            outputs=[
                Tensor(name="doubled", dtype=np.float32, shape=(3,)),
                Tensor(name="total", dtype=np.int64, shape=(1,)),
            ],
            config=eight,
        )
        signal.signal(signal.SIGTERM, end)  # the default would leave Triton itself behind
        triton.serve()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
