"""Bodies and answers held to NVIDIA's own client, which is a development dependency only."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ipfs_accel import Client, EndpointConfig
from ipfs_accel.types import Tensor
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

http = pytest.importorskip("tritonclient.http", reason="NVIDIA's client is the oracle of these tests")
np = pytest.importorskip("numpy")

ARRAYS: list[tuple[str, Any]] = [
    ("BOOL", np.array([[True, False, True]])),
    ("UINT8", np.array([[0, 255]], dtype="uint8")),
    ("UINT16", np.array([[0, 65535]], dtype="uint16")),
    ("UINT32", np.array([[0, 2**32 - 1]], dtype="uint32")),
    ("UINT64", np.array([[0, 2**64 - 1]], dtype="uint64")),
    ("INT8", np.array([[-128, 127]], dtype="int8")),
    ("INT16", np.array([[-(2**15), 1]], dtype="int16")),
    ("INT32", np.array([[-(2**31), 1]], dtype="int32")),
    ("INT64", np.array([[-(2**63), 1]], dtype="int64")),
    ("FP16", np.array([[0.5, -65504]], dtype="float16")),
    ("FP32", np.array([[0.1, np.nan]], dtype="float32")),
    ("FP64", np.array([[0.1, -np.inf]], dtype="float64")),
    ("BYTES", np.array([[b"a", "bé".encode(), b"\xff\0", b""]], dtype=object)),
]
IDS = [each[0] for each in ARRAYS]
METADATA = {"name": "m", "versions": ["1"], "inputs": [], "outputs": []}


@pytest.fixture
def server(httpserver: HTTPServer) -> HTTPServer:
    """A server that calls itself Triton and tells nothing of its models."""
    httpserver.expect_request("/v2").respond_with_json(
        {"name": "triton", "version": "2.51.0", "extensions": ["binary_tensor_data"]}
    )
    httpserver.expect_request("/v2/models/m").respond_with_json(METADATA)
    return httpserver


def ask(server: HTTPServer, inputs: Any, options: dict[str, Any] | None = None, **arguments: Any) -> Request:
    """Send a prediction and return the request as the server got it."""
    outputs = [{"name": name, "datatype": "INT8", "shape": [0], "data": []} for name in arguments.get("outputs", ())]
    server.expect_request("/v2/models/m/infer").respond_with_json({"model_name": "m", "outputs": outputs})
    endpoint = EndpointConfig(backend="ovms", base_url=server.url_for(""), options=options or {})
    with Client(endpoints={"t": endpoint}) as client:
        client.predict("t/m", inputs, **arguments)
    return server.log[-1][0]


def parted(body: bytes, length: int | None) -> tuple[Any, bytes]:
    head = body if length is None else body[:length]
    return json.loads(head), body[len(head) :]


def both(request: Request, oracle: tuple[bytes, int | None]) -> tuple[Any, Any]:
    length = request.headers.get("Inference-Header-Content-Length")
    ours = parted(request.get_data(), None if length is None else int(length))
    return ours, parted(*oracle)


def wanted(name: str, array: Any, datatype: str, *, binary: bool) -> Any:
    found = http.InferInput(name, list(array.shape), datatype)
    found.set_data_from_numpy(array, binary_data=binary)
    return found


@pytest.mark.parametrize(("datatype", "array"), ARRAYS, ids=IDS)
def test_bytes_are_sent_as_nvidias_client_sends_them(server: HTTPServer, datatype: str, array: Any) -> None:
    oracle = http.InferenceServerClient.generate_request_body([wanted("x", array, datatype, binary=True)])
    request = ask(server, {"x": array})
    ours, theirs = both(request, oracle)

    assert ours == theirs
    assert request.content_type == "application/octet-stream"


def test_several_inputs_and_outputs_are_sent_as_nvidias_client_sends_them(server: HTTPServer) -> None:
    arrays = {name: array for name, array in ARRAYS if name in {"FP16", "BYTES", "INT64"}}
    oracle = http.InferenceServerClient.generate_request_body(
        [wanted(name, array, name, binary=True) for name, array in arrays.items()],
        outputs=[http.InferRequestedOutput("y", binary_data=True), http.InferRequestedOutput("z", binary_data=True)],
        request_id="r1",
        parameters={"speed": 3},
    )
    request = ask(server, arrays, outputs=["y", "z"], extra={"id": "r1", "parameters": {"speed": 3}})
    ours, theirs = both(request, oracle)
    # Ours says for all outputs what theirs says for each; both are the protocol's.
    assert ours[0]["parameters"].pop("binary_data_output") is True
    assert ours == theirs


@pytest.mark.parametrize(
    ("datatype", "array"),
    [each for each in ARRAYS if each[0] not in {"FP16", "FP32", "FP64", "BYTES"}]
    + [("FP32", np.array([[0.1, -3.4e38]], dtype="float32")), ("FP64", np.array([[0.1, 1e300]]))]
    + [("BYTES", np.array([[b"a", "bé".encode(), b""]], dtype=object))],
)
def test_json_is_sent_as_nvidias_client_sends_it(server: HTTPServer, datatype: str, array: Any) -> None:
    oracle = http.InferenceServerClient.generate_request_body([wanted("x", array, datatype, binary=False)])
    request = ask(server, {"x": array}, {"binary": "never"})
    ours, theirs = both(request, oracle)
    # Theirs asks for bytes in return where no output is named; a server that is not known to have them is not asked.
    theirs[0].pop("parameters", None)

    assert ours == theirs
    assert request.content_type == "application/json"


@pytest.mark.parametrize(("datatype", "array"), ARRAYS, ids=IDS)
def test_answers_are_read_as_nvidias_client_reads_them(server: HTTPServer, datatype: str, array: Any) -> None:
    data = Tensor.of(array).data
    outputs = [
        {"name": "n", "datatype": "INT32", "shape": [2], "data": [1, 2]},
        {"name": "y", "datatype": datatype, "shape": list(array.shape), "parameters": {"binary_data_size": len(data)}},
        {"name": "z", "datatype": "UINT8", "shape": [1], "parameters": {"binary_data_size": 1}},
    ]
    head = json.dumps({"model_name": "m", "model_version": "1", "id": "r1", "outputs": outputs}).encode()
    body = head + data + b"\7"
    server.expect_request("/v2/models/m/infer").respond_with_response(
        Response(body, headers={"inference-header-content-length": str(len(head)), "content-type": "application/json"})
    )
    result = http.InferenceServerClient.parse_response_body(body, header_length=len(head))
    with Client(endpoints={"t": EndpointConfig(backend="ovms", base_url=server.url_for(""))}) as client:
        answer = client.predict("t/m", {"x": [1]})

    for name in ("n", "y", "z"):
        theirs, ours = result.as_numpy(name), answer[name].to_numpy()
        assert (theirs.dtype, theirs.shape, theirs.tobytes() if datatype != "BYTES" else theirs.tolist()) == (
            ours.dtype,
            ours.shape,
            ours.tobytes() if datatype != "BYTES" else ours.tolist(),
        )
    assert (answer.model, answer.version, answer.id) == ("m", "1", "r1")


def test_bf16_is_sent_as_nvidias_client_sends_it(server: HTTPServer) -> None:
    bfloat16 = pytest.importorskip("ml_dtypes", reason="numpy itself has no bfloat16").bfloat16
    array = np.array([[1.0, -2.5, 3e38]], dtype=bfloat16)
    oracle = http.InferenceServerClient.generate_request_body([wanted("x", array, "BF16", binary=True)])
    ours, theirs = both(ask(server, {"x": array}), oracle)

    assert ours == theirs
    assert ours[1] == Tensor.from_list([[1.0, -2.5, 3e38]], datatype="BF16").data
