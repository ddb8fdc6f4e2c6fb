"""Run MLServer with the tests' models: `serve_mlserver.py HTTP_PORT GRPC_PORT METRICS_PORT`."""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.errors import InferenceError
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput

MODELS = [
    {"name": "echo", "implementation": "serve_mlserver.Echo", "parameters": {"version": "3"}},
    {
        "name": "scale",
        "implementation": "serve_mlserver.Scale",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}],
        "outputs": [
            {"name": "doubled", "datatype": "FP32", "shape": [-1, 3]},
            {"name": "total", "datatype": "INT64", "shape": [-1, 1]},
        ],
    },
]


class Echo(MLModel):
    async def load(self) -> bool:
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        outputs = [
            ResponseOutput(name=f"{each.name}_out", shape=each.shape, datatype=each.datatype, data=each.data)
            for each in payload.inputs
        ]
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=outputs)


class Scale(MLModel):
    async def load(self) -> bool:
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        return self._answer(list(payload.inputs[0].data))

    async def predict_stream(self, payloads: AsyncIterator[InferenceRequest]) -> AsyncIterator[InferenceResponse]:
        async for payload in payloads:
            values = list(payload.inputs[0].data)
            for at in range(0, len(values), 3):
                yield self._answer(values[at : at + 3])

    def _answer(self, values: list[float]) -> InferenceResponse:
        if min(values) < 0:
            raise InferenceError("a value is negative")
        rows = [[2 * value for value in values[at : at + 3]] for at in range(0, len(values), 3)]
        total = [sum(row) // 2 for row in rows]
        return InferenceResponse(
            model_name=self.name,
            model_version=self.version,
            outputs=[
                ResponseOutput(name="doubled", shape=[len(rows), 3], datatype="FP32", data=rows),
                ResponseOutput(name="total", shape=[len(rows), 1], datatype="INT64", data=total),
            ],
        )


async def main(repository: Path, http: int, grpc: int, metrics: int) -> None:
    settings = Settings(
        host="127.0.0.1",
        model_repository_root=str(repository),
        http_port=http,
        grpc_port=grpc,
        metrics_port=metrics,
        parallel_workers=0,
        gzip_enabled=False,
        environments_dir="/nonexistent",
    )
    await MLServer(settings).start([_stored(repository, each) for each in MODELS])


def _stored(repository: Path, model: dict[str, Any]) -> ModelSettings:
    """Put a model into the repository, so that the server can list it and load it again."""
    path = repository / model["name"] / "model-settings.json"
    path.parent.mkdir()
    path.write_text(json.dumps(model))
    return ModelSettings.parse_file(path)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder), *map(int, sys.argv[1:])))
