"""Tensors as OVMS takes and gives them, after its sources: a server that records and answers as those say."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig
from ipfs_accel.errors import (
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    InvalidRequestError,
    InvalidResponseError,
    ModelNotFoundError,
    NotFoundError,
    OverloadedError,
    UnsupportedOperationError,
)
from ipfs_accel.types import Tensor
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

NEW = {"name": "OpenVINO Model Server", "version": "2026.4.1.abcdef"}
OLD = {"name": "OpenVINO Model Server", "version": "2026.2.1.abcdef"}
# OVMS writes its JSON with new lines and indents.
METADATA = {
    "name": "m",
    "versions": ["1"],
    "platform": "OpenVINO",
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
    "outputs": [
        {"name": "y", "datatype": "FP32", "shape": [-1, 2]},
        {"name": "n", "datatype": "INT64", "shape": [-1, 1]},
    ],
    "rt_info": {"model_info": {"labels": "cat dog"}},
}
CONFIG = {
    "m": {
        "model_version_status": [
            {"version": "1", "state": "END", "status": {"error_code": "OK", "error_message": "OK"}},
            {"version": "2", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": "OK"}},
        ]
    }
}
ABSENT = Response(json.dumps({"error": "Invalid request URL"}), 400, content_type="application/json")


@pytest.fixture
def ovms(httpserver: HTTPServer) -> HTTPServer:
    """An OVMS of 2026.4 with one model."""
    httpserver.expect_request("/v2", method="GET").respond_with_json(NEW)
    httpserver.expect_request("/v2/models/m", method="GET").respond_with_json(METADATA)
    return httpserver


def client_of(server: HTTPServer, suffix: str = "", key: str | None = None, **options: Any) -> Client:
    endpoint = EndpointConfig(
        backend="ovms", base_url=server.url_for("").rstrip("/") + suffix, key=key, options=options
    )
    return Client(endpoints={"o": endpoint})


@pytest.fixture
def client(ovms: HTTPServer) -> Iterator[Client]:
    with client_of(ovms) as found:
        yield found


def infer_answer(*outputs: dict[str, Any], data: bytes | None = None) -> Response:
    """Return an answer as OVMS gives it: JSON by its content type even if bytes follow."""
    body = json.dumps({"model_name": "m", "model_version": "1", "outputs": list(outputs)}, indent=4).encode()
    headers = {} if data is None else {"inference-header-content-length": str(len(body))}
    return Response(body + (data or b""), headers=headers, content_type="application/json")


Y = {"name": "y", "datatype": "FP32", "shape": [1, 2]}
N = {"name": "n", "datatype": "INT64", "shape": [1, 1]}


def answering(server: HTTPServer, *outputs: dict[str, Any], data: bytes | None = None) -> None:
    server.expect_request("/v2/models/m/infer", method="POST").respond_with_response(infer_answer(*outputs, data=data))


def head_of(request: Request) -> Any:
    length = request.headers.get("Inference-Header-Content-Length")
    body = request.get_data()
    return json.loads(body if length is None else body[: int(length)])


def test_every_output_is_named_since_ovms_gives_bytes_only_for_those(ovms: HTTPServer, client: Client) -> None:
    answering(ovms, {**Y, "data": [1, 2]}, {**N, "data": [3]})
    client.predict("o/m", [[1, 2]])
    head = head_of(ovms.log[-1][0])

    assert head["outputs"] == [
        {"name": "y", "parameters": {"binary_data": True}},
        {"name": "n", "parameters": {"binary_data": True}},
    ]
    assert head["inputs"] == [{"name": "x", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}]


def test_one_output_in_bytes_and_the_others_in_json(ovms: HTTPServer, client: Client) -> None:
    data = Tensor.from_list([2**40], datatype="INT64").data
    answering(ovms, {**Y, "data": [0.5, 2]}, {**N, "parameters": {"binary_data_size": 8}}, data=data)
    answer = client.predict("o/m", [[1, 2]])

    assert answer["y"] == Tensor.from_list([[0.5, 2.0]], name="y", datatype="FP32")
    assert answer["n"] == Tensor.from_list([[2**40]], name="n", datatype="INT64")
    assert (answer.model, answer.version) == ("m", "1")


def test_an_output_that_was_not_asked_for_is_left_out(ovms: HTTPServer, client: Client) -> None:
    answering(ovms, {**Y, "data": [0.5, 2]}, {**N, "data": [3]})

    assert client.predict("o/m", [[1, 2]], outputs="n").output.to_list() == [[3]]


def test_an_output_without_elements_has_neither_data_nor_size(ovms: HTTPServer, client: Client) -> None:
    answering(ovms, {**Y, "shape": [0, 2]}, data=b"")

    assert client.predict("o/m", [[1, 2]]).output.to_list() == []


@pytest.mark.parametrize(
    ("datatype", "values"),
    [("INT64", [2**40]), ("UINT64", [2**63]), ("FP64", [0.1]), ("FP16", [0.5]), ("FP32", [math.inf]), ("BYTES", [b"\xff"])],
)  # fmt: skip
def test_what_its_json_would_spoil_goes_as_bytes(httpserver: HTTPServer, datatype: str, values: list[Any]) -> None:
    httpserver.expect_request("/v2").respond_with_json(NEW)
    inputs = [{"name": "x", "datatype": datatype, "shape": [-1]}]
    httpserver.expect_request("/v2/models/m").respond_with_json({"name": "m", "inputs": inputs, "outputs": []})
    answering(httpserver)
    with client_of(httpserver) as client:
        client.predict("o/m", values)
    request = httpserver.log[-1][0]
    sent = Tensor.from_list(values, datatype=datatype).data

    assert request.get_data()[int(request.headers["Inference-Header-Content-Length"]) :] == sent
    assert "data" not in head_of(request)["inputs"][0]


@pytest.mark.parametrize(
    ("datatype", "value", "message"),
    [
        ("INT64", 2**31, "of INT64 in JSON this server reads 32 bits"),
        ("UINT64", 2**32, "of UINT64 in JSON this server reads 32 bits"),
        ("FP64", 0.1, "of FP64 in JSON this server reads 32 bits"),
        ("FP16", 0.5, "FP16 has no form in JSON"),
        ("FP32", math.nan, "it holds NaN or Infinity"),
        ("BYTES", b"\xff", "it is not UTF-8"),
        ("INT64", -(2**31), None),
        ("UINT64", 2**32 - 1, None),
        ("FP64", 0.5, None),
    ],
)
def test_and_is_not_sent_as_json(httpserver: HTTPServer, datatype: str, value: Any, message: str | None) -> None:
    httpserver.expect_request("/v2").respond_with_json(NEW)
    inputs = [{"name": "x", "datatype": datatype, "shape": [1]}]
    httpserver.expect_request("/v2/models/m").respond_with_json({"name": "m", "inputs": inputs, "outputs": []})
    answering(httpserver)
    with client_of(httpserver, binary="never") as client:
        if message is None:
            client.predict("o/m", [value])
            assert head_of(httpserver.log[-1][0])["inputs"][0]["data"] == [value]
            return
        with pytest.raises(InvalidRequestError, match=f"inputs: x: {message}") as caught:
            client.predict("o/m", [value])
    assert caught.value.hint == "set the endpoint's option binary = 'auto'"


@pytest.mark.parametrize("value", [b"\xff\xd8\xff jpeg", [b"\xff\xd8\xff jpeg"]])
def test_an_encoded_picture_goes_into_an_input_of_four_dimensions(httpserver: HTTPServer, value: Any) -> None:
    httpserver.expect_request("/v2").respond_with_json(NEW)
    inputs = [{"name": "image", "datatype": "FP32", "shape": [1, 3, 224, 224]}]
    httpserver.expect_request("/v2/models/m").respond_with_json({"name": "m", "inputs": inputs, "outputs": []})
    answering(httpserver)
    with client_of(httpserver) as client:
        client.predict("o/m", {"image": value})
    (sent,) = head_of(httpserver.log[-1][0])["inputs"]

    assert (sent["datatype"], sent["shape"]) == ("BYTES", [1])
    assert httpserver.log[-1][0].get_data().endswith(b"}\x08\0\0\0\xff\xd8\xff jpeg")


def test_metadata_is_asked_for_once(ovms: HTTPServer, client: Client) -> None:
    answering(ovms, {**Y, "data": [1, 2]})
    for _ in range(3):
        client.predict("o/m", [[1, 2]])

    assert [request.path for request, _ in ovms.log] == ["/v2", "/v2/models/m", *3 * ["/v2/models/m/infer"]]


def test_a_model_that_was_changed_is_asked_about_again(httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/v2").respond_with_json(NEW)
    for size in (2, 3):
        inputs = [{"name": "x", "datatype": "FP32", "shape": [-1, size]}]
        httpserver.expect_ordered_request("/v2/models/m").respond_with_json({"name": "m", "inputs": inputs})
        httpserver.expect_ordered_request("/v2/models/m/infer").respond_with_response(infer_answer())
    with client_of(httpserver) as client:
        client.predict("o/m", [[1, 2]])
        client.predict("o/m", [[1, 2, 3]])
    httpserver.check_assertions()


def test_a_refused_request_makes_the_next_call_ask_again(ovms: HTTPServer, client: Client) -> None:
    ovms.expect_request("/v2/models/m/infer").respond_with_json({"error": "Invalid shape"}, 400)
    for _ in range(2):
        with pytest.raises(BadRequestError, match="Invalid shape"):
            client.predict("o/m", [[1, 2]])

    assert [request.path for request, _ in ovms.log][-2:] == ["/v2/models/m", "/v2/models/m/infer"]


def test_a_version_is_in_the_path(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v2").respond_with_json(NEW)
    httpserver.expect_request("/v2/models/a/b/versions/3").respond_with_json({"name": "a/b"})
    httpserver.expect_request("/v2/models/a/b/versions/3/infer").respond_with_response(infer_answer())
    with client_of(httpserver, version="3") as client:
        client.predict("o/a/b", {"x": [1]})
    with client_of(httpserver) as client:
        client.predict("o/a/b", {"x": [1]}, version=3)
    paths = [request.environ["REQUEST_URI"] for request, _ in httpserver.log]
    assert paths == 2 * ["/v2", "/v2/models/a%2Fb/versions/3", "/v2/models/a%2Fb/versions/3/infer"]


def test_ovms_counts_versions(ovms: HTTPServer, client: Client) -> None:
    with pytest.raises(InvalidRequestError, match=r"version: OpenVINO Model Server .* counts versions, and 'v1'"):
        client.predict("o/m", [[1, 2]], version="v1")
    assert [request.path for request, _ in ovms.log] == ["/v2"]


def test_a_server_that_does_not_tell_of_itself(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v2").respond_with_json({}, 404)
    httpserver.expect_request("/v2/models/m").respond_with_json(METADATA)
    httpserver.expect_request("/v2/health/ready").respond_with_data("")
    answering(httpserver, {**Y, "data": [1, 2]})
    with client_of(httpserver, dialect="kserve") as client:
        assert client.predict("o/m", [[1, 2]]).output.to_list() == [[1.0, 2.0]]
        assert "data" in head_of(httpserver.log[-1][0])["inputs"][0]
        assert client.supports("o/m", "predict").value == "yes"
        assert client.healthcheck("o").ok


def test_an_address_that_becomes_another_servers(httpserver: HTTPServer) -> None:
    for path, answer in (
        ("/v2", Response("{}", 404)),
        ("/v1/models/m/metadata", Response("{}", 404)),
        ("/v1/models/m:predict", Response("{}", 404)),
        ("/v2", Response(json.dumps(NEW))),
        ("/v2/models/m", Response(json.dumps(METADATA))),
        ("/v2/models/m/infer", infer_answer({**Y, "data": [1, 2]})),
    ):
        httpserver.expect_ordered_request(path).respond_with_response(answer)
    with client_of(httpserver) as client:
        with pytest.raises(NotFoundError):
            client.predict("o/m", {"x": [[1, 2]]})
        assert client.predict("o/m", {"x": [[1, 2]]}).output.to_list() == [[1.0, 2.0]]
    httpserver.check_assertions()


@pytest.mark.parametrize("name", ["OVMS_BASE_URL", "OVMS_API_URL"])
def test_the_environment_may_name_server_key_and_version(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    httpserver.expect_request("/v2").respond_with_json(NEW)
    httpserver.expect_request("/v2/models/m/versions/3").respond_with_json(METADATA)
    httpserver.expect_request("/v2/models/m/versions/3/infer").respond_with_response(
        infer_answer({**Y, "data": [1, 2]})
    )
    for variable, value in ((name, httpserver.url_for("")), ("OVMS_API_KEY", "k3y"), ("OVMS_VERSION", "3")):
        monkeypatch.setenv(variable, value)
    with Client(Config()) as client:
        assert client.predict("ovms/m", [[1, 2]]).output.to_list() == [[1.0, 2.0]]
    assert httpserver.log[-1][0].headers["Authorization"] == "Bearer k3y"


def test_latest_is_no_version(ovms: HTTPServer) -> None:
    answering(ovms, {**Y, "data": [1, 2]})
    with client_of(ovms, version="7") as client:
        client.predict("o/m", [[1, 2]], version="latest")
    assert ovms.log[-1][0].path == "/v2/models/m/infer"


@pytest.mark.parametrize("suffix", ["", "/v1", "/v2", "/v3", "/v3/v1"])
def test_a_base_url_with_a_version_is_understood(ovms: HTTPServer, suffix: str) -> None:
    answering(ovms, {**Y, "data": [1, 2]})
    with client_of(ovms, suffix) as client:
        assert client.predict("o/m", [[1, 2]])["y"].to_list() == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("check", "inputs", "message"),
    [
        ("all", [[1, 2, 3]], "inputs: x has the shape [1, 3], expected x: FP32 [-1, 2]"),
        ("types", [[1, 2, 3]], None),
        ("types", {"x": Tensor.from_list([1], datatype="INT8")}, "inputs: x is INT8, expected x: FP32 [-1, 2]"),
        ("none", {"x": Tensor.from_list([1], datatype="INT8")}, None),
        ("none", [[1, 2]], "inputs: the server does not tell their names here"),
        ("all", {"x": [[1, 2]], "z": [1]}, "inputs: the model has no 'z'"),
    ],
)
def test_how_much_is_checked_is_a_setting(ovms: HTTPServer, check: str, inputs: Any, message: str | None) -> None:
    answering(ovms, {**Y, "data": [1, 2]})
    with client_of(ovms, check=check) as client:
        if message is None:
            assert client.predict("o/m", inputs).output.to_list() == [[1.0, 2.0]]
            return
        with pytest.raises(InvalidRequestError) as caught:
            client.predict("o/m", inputs)
    assert caught.value.message == message


def test_a_model_has_to_be_named(client: Client) -> None:
    with pytest.raises(InvalidRequestError, match="model: this backend's servers have several"):
        client.predict("o/", [[1, 2]])


def test_a_graph_takes_what_it_is_given(httpserver: HTTPServer) -> None:
    """Of graphs OVMS tells no datatypes."""
    httpserver.expect_request("/v2").respond_with_json(NEW)
    graph = {
        "name": "m",
        "versions": ["1"],
        "inputs": [{"name": "x", "datatype": "INVALID", "shape": []}],
        "outputs": [],
    }
    httpserver.expect_request("/v2/models/m").respond_with_json(graph)
    answering(httpserver, {**Y, "data": [1, 2]})
    with client_of(httpserver) as client:
        client.predict("o/m", [[1.5, 2]])
        assert client.show_model("o/m").features == {}
    (sent,) = head_of(httpserver.log[-2][0])["inputs"]
    assert (sent["name"], sent["datatype"], sent["shape"]) == ("x", "FP32", [1, 2])


def test_a_model_of_tensors_is_no_model_of_texts(client: Client) -> None:
    assert client.supports("o/m", "predict").value == "yes"
    assert client.supports("o/m", "chat").value == "no"
    assert client.show_model("o/m").raw["rt_info"]["model_info"]["labels"] == "cat dog"


# (status, text, what it is, whether to try again)
ERRORS: list[tuple[int, str, type[Exception], bool]] = [
    (500, "Unauthorized request due to invalid or missing api-key", AuthenticationError, False),
    (404, "Model with requested name is not found", ModelNotFoundError, False),
    (404, "Model with requested version is not found", ModelNotFoundError, False),
    (404, "Mediapipe graph definition with requested name is not found", ModelNotFoundError, False),
    (404, "Model with requested version is not loaded anymore", ModelNotFoundError, False),
    (404, "Model is not loaded yet", OverloadedError, True),
    (503, "Server is not ready", OverloadedError, True),
    (400, "Invalid request URL", NotFoundError, False),
    (400, "Invalid number of inputs - Expected: 1; Actual: 2", BadRequestError, False),
    (412, "The file is not valid json", BadRequestError, False),
    (500, "Internal inference error", InternalServerError, True),
]


@pytest.mark.parametrize(("status", "text", "kind", "retryable"), ERRORS)
def test_errors_are_what_their_texts_say(
    ovms: HTTPServer, client: Client, status: int, text: str, kind: type[Exception], *, retryable: bool
) -> None:
    ovms.expect_request("/v2/models/m/infer").respond_with_json({"error": text}, status)
    with pytest.raises(kind, match=text) as caught:
        client.predict("o/m", [[1, 2]])
    assert caught.value.status == status  # type: ignore[attr-defined]
    assert caught.value.retryable is retryable  # type: ignore[attr-defined]


BROKEN: list[tuple[str, Any, str]] = [
    ("no object", [], "a JSON list instead of an object"),
    ("no outputs", {"model_name": "m"}, "'outputs' is missing"),
    ("an output that is none", {"outputs": [3]}, "'name' is missing"),
    ("no datatype", {"outputs": [{"name": "y", "shape": [1], "data": [1]}]}, "'datatype' is missing"),
    ("no shape", {"outputs": [{"name": "y", "datatype": "FP32", "data": [1]}]}, "'shape' is missing"),
    ("too few", {"outputs": [{**Y, "data": [1]}]}, "output y: FP32 of the shape \\[1, 2\\] has 8 bytes, not 4"),
    ("null among them", {"outputs": [{**Y, "data": [None, 1]}]}, "output y: None \\(element 0\\) has no place in FP32"),
    ("texts among them", {"outputs": [{**Y, "data": ["1", 1]}]}, "output y: '1' \\(element 0\\) has no place in FP32"),
    ("a fraction", {"outputs": [{**N, "data": [1.5]}]}, "output n: 1.5 \\(element 0\\) has no place in INT64"),
    ("too great", {"outputs": [{**Y, "data": [1, 1e39]}]}, "output y: 1e\\+39 \\(element 1\\) has no place in FP32"),
    ("a shape of texts", {"outputs": [{**Y, "shape": ["1", "2"], "data": [1, 2]}]}, "shape: expected whole numbers"),
    ("a shape below 0", {"outputs": [{**Y, "shape": [-1, 2], "data": [1, 2]}]}, "dimension below 0"),
    ("an unknown datatype", {"outputs": [{**Y, "datatype": "FP8", "data": [1, 2]}]}, "nothing is known of elements of FP8"),
    ("ragged", {"outputs": [{**Y, "data": [[1], 2]}]}, "does not have the form"),
    ("bytes that are not there", {"outputs": [{**Y, "parameters": {"binary_data_size": 8}}]}, "ends within its output 'y'"),
    ("a size of texts", {"outputs": [{**Y, "parameters": {"binary_data_size": "8"}}]}, "does not have the form"),
    ("a size below 0", {"outputs": [{**Y, "parameters": {"binary_data_size": -8}}]}, "ends within its output 'y'"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "body", "message"), BROKEN, ids=[each[0] for each in BROKEN])
def test_a_broken_answer_is_a_clear_error(ovms: HTTPServer, client: Client, name: str, body: Any, message: str) -> None:
    ovms.expect_request("/v2/models/m/infer").respond_with_json(body)
    with pytest.raises(InvalidResponseError, match=message):
        client.predict("o/m", [[1, 2]])


@pytest.mark.parametrize(
    ("length", "data", "message"),
    [
        ("x", b"", "its header inference-header-content-length says 'x'"),
        ("-1", b"", "says '-1'"),
        ("100000", b"", "says '100000'"),
        (None, b"\0" * 9, "the answer has 9 bytes of tensors, and its outputs 8"),
        (None, b"\0" * 7, "the answer ends within its output 'y'"),
    ],
)
def test_bytes_that_do_not_agree_with_the_header_are_an_error(
    ovms: HTTPServer, client: Client, length: str | None, data: bytes, message: str
) -> None:
    body = json.dumps({"outputs": [{**Y, "parameters": {"binary_data_size": 8}}]}).encode()
    headers = {"inference-header-content-length": length or str(len(body))}
    ovms.expect_request("/v2/models/m/infer").respond_with_response(Response(body + data, headers=headers))
    with pytest.raises(InvalidResponseError, match=message):
        client.predict("o/m", [[1, 2]])


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({**Y, "data": [[1, 2]]}, [[1.0, 2.0]]),
        ({**Y, "data": [[[1], [2]]], "parameters": None}, [[1.0, 2.0]]),
        ({"name": "y", "datatype": "BOOL", "shape": [3], "data": [1, 0, True]}, [True, False, True]),
        ({"name": "y", "datatype": "INT8", "shape": [2], "data": [1.0, -2]}, [1, -2]),
        ({"name": "y", "datatype": "FP64", "shape": [], "data": [7]}, 7.0),
        ({"name": "y", "datatype": "FP64", "shape": [], "data": 7}, 7.0),
        ({"name": "y", "datatype": "BYTES", "shape": [1, 1], "data": ["é"]}, [["é".encode()]]),
        ({"name": "y", "datatype": "FP16", "shape": [1], "data": [0.5]}, [0.5]),
    ],
)
def test_answers_come_in_many_forms(ovms: HTTPServer, client: Client, item: Any, expected: Any) -> None:
    ovms.expect_request("/v2/models/m/infer").respond_with_json(
        {"model_name": None, "model_version": None, "id": None, "parameters": None, "outputs": [item], "new": 1}
    )
    answer = client.predict("o/m", [[1, 2]])

    assert answer.output.to_list() == expected
    assert (answer.model, answer.version, answer.id, answer.parameters) == (None, None, None, {})


def test_parameters_of_answers_and_of_outputs_are_kept(ovms: HTTPServer, client: Client) -> None:
    item = {**Y, "data": [1, 2], "parameters": {"label": "cat"}}
    ovms.expect_request("/v2/models/m/infer").respond_with_json({"outputs": [item], "parameters": {"sequence_id": 3}})
    answer = client.predict("o/m", [[1, 2]])

    assert answer.output.parameters == {"label": "cat"}
    assert answer.parameters == {"sequence_id": 3}


def test_parameters_of_inputs_are_sent(ovms: HTTPServer) -> None:
    answering(ovms, {**Y, "data": [1, 2]})
    tensor = Tensor(name="x", datatype="FP32", shape=(1, 2), data=bytes(8), parameters={"content_type": "np"})
    for binary, expected in (("never", {}), ("always", {"binary_data_size": 8})):
        with client_of(ovms, binary=binary) as client:
            client.predict("o/m", tensor)
        assert head_of(ovms.log[-1][0])["inputs"][0]["parameters"] == {"content_type": "np", **expected}


def test_a_prediction_in_pieces(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v2").respond_with_json({"name": "mlserver", "version": "1.7.1", "extensions": []})
    httpserver.expect_request("/v2/models/m").respond_with_json(METADATA)
    pieces = [{"model_name": "m", "outputs": [{**Y, "data": [at, 1]}]} for at in range(2)]
    events = "".join([f"data: {json.dumps(piece)}\n\n" for piece in pieces])
    route = httpserver.expect_oneshot_request("/v2/models/m/infer_stream", method="POST")
    route.respond_with_data(events, content_type="text/event-stream")
    route = httpserver.expect_oneshot_request("/v2/models/m/infer_stream", method="POST")
    route.respond_with_data(events + 'data: {"error": "it broke"}\n\n', content_type="text/event-stream")
    with client_of(httpserver) as client:
        stream = client.stream_call("o", "infer_stream", model="m", inputs=[[1, 2]], outputs="y", extra={"id": "r1"})
        assert [piece["y"].to_list() for piece in stream] == [[[0.0, 1.0]], [[1.0, 1.0]]]
        assert [piece.raw for piece in stream.response] == pieces
        assert head_of(httpserver.log[-1][0]) == {
            "id": "r1",
            "inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1.0, 2.0]}],
            "outputs": [{"name": "y"}],
        }
        with pytest.raises(InternalServerError, match="it broke"):
            client.stream_call("o", "infer_stream", model="m", inputs=[[1, 2]]).read()
        with pytest.raises(InvalidRequestError, match="speed"):
            client.stream_call("o", "infer_stream", model="m", inputs=[[1, 2]], speed=3).read()


def test_tensorflow_serving_gives_no_pieces(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v2").respond_with_json({}, 404)
    with client_of(httpserver) as client, pytest.raises(UnsupportedOperationError, match="only servers of KServe v2"):
        client.stream_call("o", "infer_stream", model="m", inputs=[[1, 2]]).read()


# Configuration and state.


def test_the_list_of_models(ovms: HTTPServer, client: Client) -> None:
    item = {"id": "m", "object": "model", "created": 1, "owned_by": "OVMS"}
    ovms.expect_request("/v3/models").respond_with_json({"data": [item], "object": "list"})

    assert [model.id for model in client.list_models("o")] == ["m"]


def test_the_list_of_models_of_an_ovms_without_that_route(ovms: HTTPServer, client: Client) -> None:
    ovms.expect_request("/v3/models").respond_with_response(ABSENT)
    ovms.expect_request("/v1/config").respond_with_json(CONFIG)

    assert [model.id for model in client.list_models("o")] == ["m"]


@pytest.mark.parametrize(("status", "reloaded"), [(201, True), (200, False)])
def test_the_configuration_can_be_read_again(ovms: HTTPServer, client: Client, status: int, *, reloaded: bool) -> None:
    ovms.expect_request("/v1/config/reload", method="POST", data=b"").respond_with_json(CONFIG, status)

    assert client.call("o", "reload_config") == {"reloaded": reloaded, "config": CONFIG}


@pytest.mark.parametrize(
    "text",
    [
        "Config file not found or cannot open.",
        "Reloading config file failed. Check server logs for more info.",
        "Reloading models versions failed. Check server logs for more info.",
        "Retrieving all model statuses failed. Check server logs for more info.",
    ],
)
def test_a_configuration_that_cannot_be_read_stays_so(ovms: HTTPServer, client: Client, text: str) -> None:
    ovms.expect_request("/v1/config/reload").respond_with_json({"error": text}, 500)
    with pytest.raises(InternalServerError) as caught:
        client.call("o", "reload_config")
    assert (caught.value.message, caught.value.retryable) == (text, False)


def test_outputs_that_have_no_form_are_explained(ovms: HTTPServer, client: Client) -> None:
    text = "Could not parse input content. Unsupported data precision detected - Unsupported precisionFP16"
    ovms.expect_request("/v2/models/m/infer").respond_with_json({"error": text}, 400)
    with pytest.raises(BadRequestError) as caught:
        client.predict("o/m", [[1, 2]])
    assert "no outputs of FP16" in (caught.value.hint or "")


def test_the_configuration(ovms: HTTPServer, client: Client) -> None:
    ovms.expect_request("/v1/config").respond_with_json(CONFIG)

    assert client.call("o", "config") == CONFIG


def test_the_state_of_a_model_is_in_the_configuration_from_2026_3_on(ovms: HTTPServer, client: Client) -> None:
    """There /v1/models/m is OpenAI's and would answer, too."""
    ovms.expect_request("/v1/config").respond_with_json(CONFIG)
    ovms.expect_request("/v1/models/m").respond_with_json({"id": "m", "object": "model"})

    assert client.call("o", "model_status", model="m") == CONFIG["m"]
    (state,) = client.call("o", "model_status", model="m", version=2)["model_version_status"]
    assert state["state"] == "AVAILABLE"
    with pytest.raises(ModelNotFoundError, match="no model 'nope'"):
        client.call("o", "model_status", model="nope")
    with pytest.raises(ModelNotFoundError, match="no version 3 of 'm'"):
        client.call("o", "model_status", model="m", version=3)


@pytest.mark.parametrize("config", [[], {"m": 3}, {"m": {}}, {"m": {"model_version_status": [3]}}])
def test_a_broken_configuration_is_a_clear_error(ovms: HTTPServer, client: Client, config: Any) -> None:
    ovms.expect_request("/v1/config").respond_with_json(config)
    with pytest.raises(InvalidResponseError):
        client.call("o", "model_status", model="m")


def test_the_state_of_a_model_before(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v2").respond_with_json(OLD)
    httpserver.expect_request("/v1/models/m/versions/2").respond_with_json(CONFIG["m"])
    with client_of(httpserver) as client:
        assert client.call("o", "model_status", model="m", version=2) == CONFIG["m"]


def test_tensorflow_servings_api_is_not_asked_of_an_ovms_that_has_it_no_more(ovms: HTTPServer) -> None:
    with (
        client_of(ovms, dialect="tfserving") as client,
        pytest.raises(UnsupportedOperationError, match=r"OpenVINO Model Server 2026.4.1.abcdef does not have"),
    ):
        client.predict("o/m", [[1, 2]])


@pytest.mark.parametrize(
    ("status", "body", "ready"),
    [
        (200, "", True),
        (404, '{"error":"Model with requested name is not found"}', False),
        (404, '{"error":"Model with requested version is not loaded yet"}', False),
        (404, '{"error":"Model with requested version is not loaded anymore"}', False),
        (503, '{"error":"Server is not ready"}', False),
    ],
)
def test_readiness_is_the_status(ovms: HTTPServer, client: Client, status: int, body: str, *, ready: bool) -> None:
    ovms.expect_request("/v2/models/m/ready").respond_with_data(body, status)
    ovms.expect_request("/v2/health/ready").respond_with_data(body, 200 if ready else 503)

    assert client.call("o", "model_ready", model="m") is ready
    assert client.call("o", "server_ready") is ready


def test_a_server_without_that_route_is_not_unready(ovms: HTTPServer, client: Client) -> None:
    ovms.expect_request("/v2/models/m/ready").respond_with_response(ABSENT)
    ovms.expect_request("/v2/health/live").respond_with_response(ABSENT)
    with pytest.raises(NotFoundError, match="Invalid request URL"):
        client.call("o", "model_ready", model="m")
    with pytest.raises(NotFoundError, match="Invalid request URL"):
        client.call("o", "server_live")


def test_metrics_are_text_and_their_absence_is_an_error(ovms: HTTPServer, client: Client) -> None:
    ovms.expect_ordered_request("/metrics").respond_with_data("ovms_streams 1\n", content_type="text/plain")
    ovms.expect_ordered_request("/metrics").respond_with_response(ABSENT)

    assert client.call("o", "metrics") == "ovms_streams 1\n"
    with pytest.raises(NotFoundError) as caught:
        client.call("o", "metrics")
    assert "how it was started" in (caught.value.hint or "")


@pytest.mark.parametrize(("status", "expected"), [(200, "ok"), (503, "loading"), (500, "unhealthy")])
def test_health(ovms: HTTPServer, client: Client, status: int, expected: str) -> None:
    ovms.expect_request("/v2/health/ready").respond_with_data("", status)

    assert client.healthcheck("o").status == expected


def test_no_server_is_unreachable_and_says_how_to_start_one() -> None:
    with Client(endpoints={"o": EndpointConfig(backend="ovms", base_url="http://127.0.0.1:9")}) as client:
        health = client.healthcheck("o")
    assert health.status == "unreachable"
    assert "--rest_port" in (health.detail or "")


def test_the_key_is_sent_as_ovms_wants_it_and_never_shown(ovms: HTTPServer) -> None:
    ovms.expect_request("/v2/models/m/infer").respond_with_json({"error": "Unauthorized request: s3cr3t-key"}, 500)
    with client_of(ovms, key="s3cr3t-key") as client, pytest.raises(AuthenticationError) as caught:
        client.predict("o/m", [[1, 2]])
    assert ovms.log[-1][0].headers["Authorization"] == "Bearer s3cr3t-key"
    assert "s3cr3t" not in str(caught.value)
    assert "s3cr3t" not in repr(caught.value.body)


def test_the_same_awaited(ovms: HTTPServer) -> None:
    data = Tensor.from_list([2**40], datatype="INT64").data
    answering(ovms, {**Y, "data": [0.5, 2]}, {**N, "parameters": {"binary_data_size": 8}}, data=data)
    ovms.expect_request("/v2/models/m/ready").respond_with_data("")
    ovms.expect_request("/v2/health/ready").respond_with_data("")
    ovms.expect_request("/v1/config").respond_with_json(CONFIG)

    async def run() -> None:
        async with AsyncClient(endpoints={"o": EndpointConfig(backend="ovms", base_url=ovms.url_for(""))}) as client:
            answer = await client.predict("o/m", [[1, 2]])
            assert (answer["y"].to_list(), answer["n"].to_list()) == ([[0.5, 2.0]], [[2**40]])
            with pytest.raises(InvalidRequestError, match=r"expected x: FP32 \[-1, 2\]"):
                await client.predict("o/m", [[1, 2, 3]])
            assert await client.call("o", "model_ready", model="m") is True
            assert await client.call("o", "model_status", model="m") == CONFIG["m"]
            assert (await client.supports("o/m", "chat")).value == "no"
            assert (await client.healthcheck("o")).ok

    anyio.run(run)
