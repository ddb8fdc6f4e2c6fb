"""Run KServe's server with the tests' models: `serve_kserve.py HTTP_PORT`. It listens on every address."""

import sys
from typing import Any

import numpy as np
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer
from kserve.errors import InvalidInput


class Echo(Model):
    def load(self) -> bool:
        self.ready = True
        return True

    async def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:
        if isinstance(payload, dict):
            return {"predictions": payload.get("instances", payload.get("inputs"))}
        outputs = []
        for each in payload.inputs:
            output = InferOutput(name=f"{each.name}_out", shape=list(each.shape), datatype=each.datatype)
            output.set_data_from_numpy(each.as_numpy(), binary_data=True)
            outputs.append(output)
        return InferResponse(
            response_id=payload.id or "none",
            model_name=self.name,
            infer_outputs=outputs,
            use_binary_outputs=payload.use_binary_outputs,
            requested_outputs=payload.request_outputs,
        )


class Scale(Model):
    def load(self) -> bool:
        self.ready = True
        return True

    async def get_input_types(self) -> list[dict[str, Any]]:
        return [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}]

    async def get_output_types(self) -> list[dict[str, Any]]:
        return [{"name": "doubled", "datatype": "FP32", "shape": [-1, 3]}]

    async def predict(self, payload: InferRequest, headers: Any = None, response_headers: Any = None) -> InferResponse:
        x = payload.inputs[0].as_numpy()
        if (x < 0).any():
            raise InvalidInput("a value is negative")
        doubled = InferOutput(name="doubled", shape=list(x.shape), datatype="FP32")
        doubled.set_data_from_numpy((x * 2).astype(np.float32), binary_data=False)
        return InferResponse(response_id=payload.id or "none", model_name=self.name, infer_outputs=[doubled])


if __name__ == "__main__":
    models = [Echo("echo"), Scale("scale"), Scale("gone")]
    for model in models:
        model.load()
    ModelServer(http_port=int(sys.argv[1]), enable_grpc=False, workers=1).start(models)
