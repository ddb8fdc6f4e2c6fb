"""TensorFlow Serving's REST, after its documentation and OVMS's sources: a server that records and answers so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ipfs_accel import Client, EndpointConfig
from ipfs_accel.errors import InvalidRequestError, InvalidResponseError, ModelNotFoundError, UnsupportedOperationError
from ipfs_accel.types import Tensor
from pytest_httpserver import HTTPServer

from conftest import sent

OUTPUT = {"y": {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": "-1"}], "unknown_rank": False}, "name": "y:0"}}


def metadata(
    inputs: dict[str, Any], outputs: dict[str, Any], *, camel: bool = False, name: str = "serving_default"
) -> Any:
    """Return metadata as TensorFlow Serving writes it, or in camel case as OVMS does."""
    text = json.dumps(
        {
            "model_spec": {"name": "m", "signature_name": "", "version": "1"},
            "metadata": {
                "signature_def": {"signature_def": {name: {"inputs": inputs, "outputs": outputs, "method_name": ""}}}
            },
        }
    )
    if camel:
        for snake, other in (
            ("model_spec", "modelSpec"),
            ("tensor_shape", "tensorShape"),
            ("unknown_rank", "unknownRank"),
        ):
            text = text.replace(snake, other)
        text = text.replace('"signature_def": {"signature_def"', '"signature_def": {"signatureDef"')
    return json.loads(text)


def spec(dtype: str, *sizes: int) -> dict[str, Any]:
    return {"dtype": dtype, "tensor_shape": {"dim": [{"size": str(size), "name": ""} for size in sizes]}, "name": "x:0"}


@pytest.fixture
def server(httpserver: HTTPServer) -> HTTPServer:
    """A server without KServe v2, with a model of one input and one output."""
    httpserver.expect_request("/v2").respond_with_json({"error": "Malformed request: GET /v2"}, 404)
    httpserver.expect_request("/v1/models/m/metadata").respond_with_json(
        metadata({"x": spec("DT_FLOAT", -1, 2)}, OUTPUT)
    )
    return httpserver


def client_of(server: HTTPServer, **options: Any) -> Client:
    return Client(endpoints={"t": EndpointConfig(backend="ovms", base_url=server.url_for(""), options=options)})


@pytest.fixture
def client(server: HTTPServer) -> Iterator[Client]:
    with client_of(server) as found:
        yield found


def answering(server: HTTPServer, body: Any, path: str = "/v1/models/m:predict") -> None:
    server.expect_request(path, method="POST").respond_with_json(body)


def test_columns(server: HTTPServer, client: Client) -> None:
    answering(server, {"outputs": [1, 2.5]})
    answer = client.predict("t/m", [[1, 2], [3, 4]])

    assert sent(server) == {"inputs": {"x": [[1.0, 2.0], [3.0, 4.0]]}}
    assert answer.output == Tensor.from_list([1, 2.5], name="y", datatype="FP32")


def test_rows(server: HTTPServer) -> None:
    answering(server, {"predictions": [1, 2.5]})
    with client_of(server, rows=True) as client:
        answer = client.predict("t/m", [[1, 2], [3, 4]])

    assert sent(server) == {"instances": [[1.0, 2.0], [3.0, 4.0]]}
    assert answer["y"].to_list() == [1.0, 2.5]


@pytest.mark.parametrize("camel", [False, True], ids=["TensorFlow Serving", "OVMS"])
def test_several_inputs_and_outputs(httpserver: HTTPServer, *, camel: bool) -> None:
    inputs = {"a": spec("DT_INT32", -1), "b": spec("DT_STRING", -1)}
    outputs = {"y": spec("DT_DOUBLE", -1), "z": spec("DT_BOOL", -1), "s": spec("DT_STRING", -1)}
    httpserver.expect_request("/v2").respond_with_json({}, 404)
    httpserver.expect_request("/v1/models/m/metadata").respond_with_json(metadata(inputs, outputs, camel=camel))
    columns = {"y": [1, 2], "z": [True, False], "s": ["a", {"b64": "/w=="}]}
    rows = [{"y": 1, "z": True, "s": "a"}, {"y": 2, "z": False, "s": {"b64": "/w=="}}]
    given = {"a": [1, 2], "b": [b"\xff", "é"]}
    strings = [{"b64": "/w=="}, "é"]
    for turned, answer_body, expected in (
        (False, {"outputs": columns}, {"inputs": {"a": [1, 2], "b": strings}}),
        (True, {"predictions": rows}, {"instances": [{"a": 1, "b": strings[0]}, {"a": 2, "b": strings[1]}]}),
    ):
        httpserver.expect_oneshot_request("/v1/models/m:predict").respond_with_json(answer_body)
        with client_of(httpserver, rows=turned) as client:
            answer = client.predict("t/m", given)
        assert sent(httpserver) == expected
        assert [(tensor.name, tensor.datatype, tensor.to_list()) for tensor in answer.outputs] == [
            ("y", "FP64", [1.0, 2.0]),
            ("z", "BOOL", [True, False]),
            ("s", "BYTES", [b"a", b"\xff"]),
        ]


def test_outputs_are_chosen_here_since_the_server_gives_all(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v2").respond_with_json({}, 404)
    httpserver.expect_request("/v1/models/m/metadata").respond_with_json(
        metadata({"x": spec("DT_FLOAT", -1)}, {"y": spec("DT_FLOAT", -1), "z": spec("DT_FLOAT", -1)})
    )
    answering(httpserver, {"outputs": {"y": [1], "z": [2]}})
    with client_of(httpserver) as client:
        assert client.predict("t/m", [1], outputs="z").output.to_list() == [2.0]
        with pytest.raises(InvalidRequestError, match="outputs: the model has no 'q'") as caught:
            client.predict("t/m", [1], outputs="q")
    assert caught.value.hint == "it has y: FP32 [-1]; z: FP32 [-1]"
    with (
        client_of(httpserver, check="none") as client,
        pytest.raises(InvalidResponseError, match="no output 'q'; it has y, z"),
    ):
        client.predict("t/m", {"x": [1]}, outputs="q")


@pytest.mark.parametrize(
    ("dtype", "value", "written"),
    [
        ("DT_HALF", 0.5, 0.5), ("DT_BFLOAT16", 1.0, 1.0), ("DT_FLOAT", 1, 1.0), ("DT_DOUBLE", 1, 1.0), ("DT_INT8", -1, -1), ("DT_INT16", -1, -1),
        ("DT_INT32", -1, -1), ("DT_INT64", 2**40, 2**40), ("DT_UINT8", 1, 1), ("DT_UINT16", 1, 1), ("DT_UINT32", 1, 1),
        ("DT_UINT64", 2**63, 2**63), ("DT_BOOL", True, True), ("DT_STRING", "é", "é"), ("DT_VARIANT", 1, 1),
    ],
)  # fmt: skip
def test_every_datatype(httpserver: HTTPServer, dtype: str, value: Any, written: Any) -> None:
    httpserver.expect_request("/v2").respond_with_json({}, 404)
    one = {"x": spec(dtype, -1)}
    httpserver.expect_request("/v1/models/m/metadata").respond_with_json(metadata(one, {"y": spec(dtype, -1)}))
    answering(httpserver, {"outputs": [written]})
    with client_of(httpserver) as client:
        answer = client.predict("t/m", [value])
    assert sent(httpserver) == {"inputs": {"x": [written]}}
    assert answer.output.to_list() == [value.encode() if isinstance(value, str) else value]


@pytest.mark.parametrize(
    ("version", "path"),
    [(None, "/v1/models/m"), (3, "/v1/models/m/versions/3"), ("canary", "/v1/models/m/labels/canary")],
)
def test_versions_and_labels_are_in_the_path(server: HTTPServer, client: Client, version: Any, path: str) -> None:
    server.expect_request(f"{path}/metadata").respond_with_json(metadata({"x": spec("DT_FLOAT", -1, 2)}, OUTPUT))
    answering(server, {"outputs": [1]}, f"{path}:predict")
    client.predict("t/m", [[1, 2]], version=version)

    assert "version" not in sent(server)


def test_another_signature(server: HTTPServer, client: Client) -> None:
    body = metadata({"tokens": spec("DT_INT64", -1)}, {"scores": spec("DT_FLOAT", -1)}, name="score")
    server.expect_oneshot_request("/v1/models/n/metadata").respond_with_json(body)
    answering(server, {"outputs": [1]}, "/v1/models/n:predict")
    answer = client.predict("t/n", [7], extra={"signature_name": "score"})

    assert sent(server) == {"inputs": {"tokens": [7]}, "signature_name": "score"}
    assert answer["scores"].to_list() == [1.0]


def test_a_server_without_metadata(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v2").respond_with_json({}, 404)
    httpserver.expect_request("/v1/models/m/metadata").respond_with_json({}, 404)
    answering(httpserver, {"predictions": [[1, 2], [3, 4.5]]})
    with client_of(httpserver) as client:
        answer = client.predict("t/m", [[1, 2]])
        assert answer.output == Tensor.from_list([[1.0, 2.0], [3.0, 4.5]], datatype="FP32")
        assert sent(httpserver) == {"inputs": [[1, 2]]}
        client.predict("t/m", {"x": [[1, 2]]})
        assert sent(httpserver) == {"inputs": {"x": [[1, 2]]}}


def test_an_unknown_rank_fits_everything(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v2").respond_with_json({}, 404)
    inputs = {"x": {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [], "unknown_rank": True}}}
    httpserver.expect_request("/v1/models/m/metadata").respond_with_json(metadata(inputs, OUTPUT))
    answering(httpserver, {"outputs": [1]})
    with client_of(httpserver) as client:
        client.predict("t/m", [[[1]]])
    assert sent(httpserver) == {"inputs": {"x": [[[1.0]]]}}


def test_rows_need_one_first_dimension(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v2").respond_with_json({}, 404)
    httpserver.expect_request("/v1/models/m/metadata").respond_with_json({}, 404)
    with client_of(httpserver, rows=True) as client:
        for inputs in ({"a": [1, 2], "b": [1]}, {"a": [1], "b": 1}):
            with pytest.raises(InvalidRequestError, match="rows need the same first dimension everywhere"):
                client.predict("t/m", inputs)


def test_what_does_not_fit_is_not_sent(client: Client) -> None:
    with pytest.raises(InvalidRequestError, match=r"inputs: x has the shape \[1, 3\], expected x: FP32 \[-1, 2\]"):
        client.predict("t/m", [[1, 2, 3]])
    with pytest.raises(InvalidRequestError, match="inputs: x: it holds NaN or Infinity"):
        client.predict("t/m", [[1, float("nan")]])


BROKEN: list[tuple[Any, str]] = [
    ([], "a JSON list instead of an object"),
    ({}, "'predictions' is missing"),
    ({"predictions": 3}, "'predictions' is int instead of list"),
    ({"predictions": [{"y": 1}, {"z": 1}]}, "does not have the form"),
    ({"outputs": [[1], [1, 2]]}, "differ in length"),
    ({"outputs": None}, "expected numbers, texts, bytes"),
    ({"outputs": {"y": [None]}}, "expected numbers, texts, bytes"),
    ({"outputs": [{"b64": "?"}]}, "is not base64"),
    ({"outputs": ["a"]}, "'a' \\(element 0\\) has no place in FP32"),
]


@pytest.mark.parametrize(("body", "message"), BROKEN, ids=[each[1] for each in BROKEN])
def test_a_broken_answer_is_a_clear_error(server: HTTPServer, client: Client, body: Any, message: str) -> None:
    answering(server, body)
    with pytest.raises(InvalidResponseError, match=message):
        client.predict("t/m", [[1, 2]])


@pytest.mark.parametrize("body", [{"metadata": {}}, {"metadata": {"signature_def": {"signature_def": {"other": {}}}}}])
def test_metadata_that_says_nothing_is_no_obstacle(httpserver: HTTPServer, body: Any) -> None:
    httpserver.expect_request("/v2").respond_with_json({}, 404)
    httpserver.expect_request("/v1/models/m/metadata").respond_with_json(body)
    answering(httpserver, {"outputs": [1]})
    with client_of(httpserver) as client:
        assert client.predict("t/m", {"x": [1]}).output.to_list() == [1]


def test_a_model_that_is_not_there(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v2").respond_with_json({}, 404)
    error = {"error": "Servable not found for request: Latest(m)"}
    httpserver.expect_request("/v1/models/m/metadata").respond_with_json(error, 404)
    httpserver.expect_request("/v1/models/m:predict").respond_with_json(error, 404)
    with client_of(httpserver) as client, pytest.raises(ModelNotFoundError, match="Servable not found"):
        client.predict("t/m", [1])


@pytest.mark.parametrize("verb", ["classify", "regress"])
def test_examples(server: HTTPServer, client: Client, verb: str) -> None:
    answering(server, {"result": [[["cat", 0.9]]]}, f"/v1/models/m/versions/2:{verb}")
    answer = client.call(
        "t", f"tf_{verb}", model="m", version=2, examples=[{"x": 1.0}], context={"c": 1}, signature_name="s"
    )

    assert answer == {"result": [[["cat", 0.9]]]}
    assert sent(server) == {"examples": [{"x": 1.0}], "context": {"c": 1}, "signature_name": "s"}


def test_state_and_metadata(server: HTTPServer, client: Client) -> None:
    state = {
        "model_version_status": [
            {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        ]
    }
    server.expect_request("/v1/models/m").respond_with_json(state)
    loading = {"model_version_status": [{"version": "2", "state": "LOADING"}]}
    server.expect_request("/v1/models/m/versions/2").respond_with_json(loading)
    error = {"error": "Could not find any versions of model nope"}
    server.expect_request("/v1/models/nope").respond_with_json(error, 404)

    assert client.call("t", "model_status", model="m") == state
    assert client.call("t", "model_ready", model="m") is True
    assert client.call("t", "model_ready", model="m", version=2) is False
    assert client.call("t", "model_ready", model="nope") is False
    assert client.call("t", "tf_metadata", model="m")["model_spec"]["name"] == "m"
    assert client.show_model("t/m").features["predict"].value == "yes"


def test_what_such_a_server_cannot_say(server: HTTPServer, client: Client) -> None:
    server.expect_request("/v3/models").respond_with_json({"error": "Malformed request: GET /v3/models"}, 404)
    server.expect_request("/v1/models").respond_with_json({"error": "Malformed request: GET /v1/models"}, 404)
    health = client.healthcheck("t")

    assert (health.status, health.server) == ("ok", "TensorFlow Serving")
    with pytest.raises(UnsupportedOperationError, match="does not list its models"):
        client.list_models("t")


def test_a_server_of_something_else_is_not_taken_for_one(httpserver: HTTPServer) -> None:
    for path in ("/v2", "/v3/models", "/v1/models"):
        httpserver.expect_request(path).respond_with_data("<html>Not Found</html>", 404, content_type="text/html")
    with client_of(httpserver) as client:
        assert client.healthcheck("t").status == "unhealthy"


def test_a_list_of_the_first_version_of_kserve(httpserver: HTTPServer) -> None:
    for path in ("/v2", "/v3/models"):
        httpserver.expect_request(path).respond_with_json({"detail": "Not Found"}, 404)
    httpserver.expect_request("/v1/models").respond_with_json({"models": ["a", "b"]})
    with client_of(httpserver) as client:
        assert [model.id for model in client.list_models("t")] == ["a", "b"]
        assert client.healthcheck("t").server == "KServe v1"
