"""What Triton, MLServer and KServe say in their own ways: not ready, failed, null, base64, their models' own errors."""

from __future__ import annotations

import json
from typing import Any

import anyio
import attrs
import pytest
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig, RetryConfig
from ipfs_accel.errors import InternalServerError, InvalidRequestError, InvalidResponseError, ModelNotFoundError
from ipfs_accel.types import Tensor
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

TRITON = {"name": "triton", "version": "2.51.0", "extensions": ["binary_tensor_data", "model_repository"]}
MLSERVER = {"name": "mlserver", "version": "1.7.1", "extensions": []}
KSERVE = {"name": "kserve", "version": "0.21.0", "extensions": ["model_repository_extension"]}
BAD = {"name": "bad", "version": "1", "state": "UNAVAILABLE", "reason": "Internal: RuntimeError: no\nweights"}
GOOD = {"name": "good", "version": "1", "state": "READY"}
METADATA = {
    "name": "m",
    "platform": "python",
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1]}],
    "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1]}],
}


def serve(server: HTTPServer, about: dict[str, Any], *outputs: dict[str, Any]) -> None:
    server.expect_request("/v2", method="GET").respond_with_json(about)
    server.expect_request("/v2/models/m", method="GET").respond_with_json(METADATA)
    if outputs:
        server.expect_request("/v2/models/m/infer").respond_with_json({"model_name": "m", "outputs": list(outputs)})


def at(server: HTTPServer, **options: Any) -> Client:
    return Client(Config(environ={}), endpoints={"t": place(server, **options)})


def place(server: HTTPServer, **options: Any) -> EndpointConfig:
    retry = RetryConfig(attempts=3, base=0.0)
    return EndpointConfig(backend="ovms", base_url=server.url_for("").rstrip("/"), options=options, retry=retry)


def not_ready(server: HTTPServer, about: dict[str, Any], *models: dict[str, Any]) -> None:
    serve(server, about)
    server.expect_request("/v2/health/ready").respond_with_data("", 400)
    server.expect_request("/v2/health/live").respond_with_data("", 200)
    server.expect_request("/v2/repository/index", method="POST").respond_with_json(list(models))


@pytest.mark.parametrize("about", [TRITON, MLSERVER], ids=["triton", "mlserver"])
def test_a_server_that_is_not_ready_says_so_with_a_bare_400(about: dict[str, Any], httpserver: HTTPServer) -> None:
    not_ready(httpserver, about, GOOD, BAD)
    httpserver.expect_request("/v2/models/bad/ready").respond_with_data("", 400)
    with at(httpserver) as client:
        assert client.call("t", "server_ready") is False
        assert client.call("t", "server_live") is True
        assert client.call("t", "model_ready", model="bad") is False
        health = client.healthcheck("t")
    assert (health.status, health.server) == ("unhealthy", f"{about['name']} {about['version']}")
    assert health.detail == (
        "the server says that it is not ready: bad is UNAVAILABLE: Internal: RuntimeError: no weights; "
        "1 other model(s) are ready"
    )

    async def run() -> None:
        async with AsyncClient(Config(environ={}), endpoints={"t": place(httpserver)}) as other:
            assert await other.call("t", "server_ready") is False
            assert (await other.healthcheck("t")).detail == health.detail

    anyio.run(run)


def test_a_server_whose_models_are_being_loaded_is_loading(httpserver: HTTPServer) -> None:
    not_ready(httpserver, TRITON, {**GOOD, "state": "LOADING"})
    with at(httpserver) as client:
        assert client.healthcheck("t").status == "loading"


def test_a_server_that_keeps_its_list_to_itself_is_not_ready_all_the_same(httpserver: HTTPServer) -> None:
    serve(httpserver, TRITON)
    httpserver.expect_request("/v2/health/ready").respond_with_data("", 400)
    httpserver.expect_request("/v2/repository/index").respond_with_json({"error": "not allowed"}, 403)
    with at(httpserver) as client:
        health = client.healthcheck("t")
    assert (health.status, health.detail) == ("unhealthy", "the server says that it is not ready")
    assert health.server == "triton 2.51.0"


def test_a_no_in_a_success_is_no(httpserver: HTTPServer) -> None:
    serve(httpserver, KSERVE)
    httpserver.expect_request("/v2/health/ready").respond_with_json({"ready": False})
    httpserver.expect_request("/v2/health/live").respond_with_json({"live": False})
    httpserver.expect_request("/v2/models/m/ready").respond_with_json({"name": "m", "ready": False})
    with at(httpserver) as client:
        assert client.call("t", "server_ready") is False
        assert client.call("t", "server_live") is False
        assert client.call("t", "model_ready", model="m") is False
        assert client.healthcheck("t").status == "unhealthy"


def test_a_400_with_words_is_an_error(httpserver: HTTPServer) -> None:
    serve(httpserver, TRITON)
    httpserver.expect_request("/v2/health/ready").respond_with_json({"error": "wrong host"}, 400)
    with at(httpserver) as client:
        with pytest.raises(Exception, match="wrong host"):
            client.call("t", "server_ready")
        assert client.healthcheck("t").status == "unhealthy"


def test_a_model_that_failed_to_load_is_not_listed_as_able(httpserver: HTTPServer) -> None:
    old = {**GOOD, "name": "two", "version": "1"}
    not_ready(httpserver, TRITON, GOOD, BAD, old, {**BAD, "name": "two", "version": "2"}, {"name": "silent"})
    said = "Request for unknown model: 'bad' has no available versions"
    httpserver.expect_request("/v2/models/bad").respond_with_json({"error": said}, 404)
    with at(httpserver) as client:
        models = {each.id: each for each in client.list_models("t")}
        able = {name: model.features["predict"].value for name, model in models.items()}
        assert able == {"good": "yes", "bad": "no", "two": "yes", "silent": "yes"}
        assert models["bad"].description == "UNAVAILABLE: Internal: RuntimeError: no weights"
        with pytest.raises(ModelNotFoundError) as caught:
            client.predict("t/bad", {"x": [1.0]})
        assert "failed to load" in (caught.value.hint or "")


@pytest.mark.parametrize("binary", ["auto", "never"])
@pytest.mark.parametrize("about", [TRITON, MLSERVER, KSERVE], ids=["triton", "mlserver", "kserve"])
def test_a_models_own_error_runs_it_once(about: dict[str, Any], binary: str, httpserver: HTTPServer) -> None:
    serve(httpserver, about)
    ran: list[int] = []

    def fail(_request: Request) -> Response:
        ran.append(1)
        if about is MLSERVER:
            return Response("Internal Server Error", 500)
        return Response(json.dumps({"error": "the model says no"}), 500, content_type="application/json")

    httpserver.expect_request("/v2/models/m/infer").respond_with_handler(fail)
    with at(httpserver, binary=binary) as client, pytest.raises(InternalServerError) as caught:
        client.predict("t/m", {"x": [1.0]})
    assert (len(ran), caught.value.retryable) == (1, False)


def test_a_server_that_is_overloaded_is_asked_again(httpserver: HTTPServer) -> None:
    serve(httpserver, TRITON)
    answers = [Response("", 503), Response("", 502)]
    right = json.dumps({"outputs": [{"name": "y", "datatype": "FP32", "shape": [1], "data": [1.0]}]})

    def answer(_request: Request) -> Response:
        return answers.pop(0) if answers else Response(right, content_type="application/json")

    httpserver.expect_request("/v2/models/m/infer").respond_with_handler(answer)
    with at(httpserver) as client:
        assert client.predict("t/m", {"x": [1.0]}).output.to_list() == [1.0]


HALF = Tensor.from_list([0.5, -65504.0], datatype="FP16")


def test_mlserver_takes_and_gives_half_floats_in_json(httpserver: HTTPServer) -> None:
    serve(httpserver, MLSERVER, {"name": "y", "datatype": "FP16", "shape": [2], "data": [0.5, -65504.0]})
    with at(httpserver, check="none") as client:
        assert client.predict("t/m", {"x": HALF}).output.data == HALF.data
        body = json.loads(httpserver.log[-1][0].get_data())
        assert body["inputs"] == [{"name": "x", "shape": [2], "datatype": "FP16", "data": [0.5, -65504.0]}]
        with pytest.raises(InvalidRequestError, match="NaN or Infinity"):
            client.predict("t/m", {"x": Tensor.from_list([float("nan")], datatype="FP16")})
        with pytest.raises(InvalidRequestError, match="BF16 has no form in JSON"):
            client.predict("t/m", {"x": Tensor(datatype="BF16", shape=(1,), data=b"\0\0")})


def test_half_floats_have_no_form_in_json_elsewhere(httpserver: HTTPServer) -> None:
    serve(httpserver, TRITON)
    with at(httpserver, check="none", binary="never") as client, pytest.raises(InvalidRequestError, match="FP16"):
        client.predict("t/m", {"x": HALF})


NULL = {"name": "y", "datatype": "FP32", "shape": [2], "data": [1.5, None]}
RIGHT = {"name": "z", "datatype": "FP32", "shape": [1], "data": [2.5]}


@pytest.mark.parametrize(("about", "way_out"), [(KSERVE, "binary = 'auto'"), (MLSERVER, "name the other outputs")])
def test_null_in_an_output_is_explained(about: dict[str, Any], way_out: str, httpserver: HTTPServer) -> None:
    serve(httpserver, about, NULL, RIGHT)
    with at(httpserver, check="none", binary="never") as client:
        with pytest.raises(InvalidResponseError, match=r"y: None \(element 1\).*NaN and Infinity as null") as caught:
            client.predict("t/m", {"x": [1.0]})
        assert way_out in (caught.value.hint or "")
        assert client.predict("t/m", {"x": [1.0]}, outputs="z").output.to_list() == [2.5]


def test_bytes_that_mlserver_encodes_are_decoded(httpserver: HTTPServer) -> None:
    coded = {"name": "y", "datatype": "BYTES", "shape": [2, 1], "parameters": {"content_type": "base64", "a": "b"}}
    serve(httpserver, MLSERVER, {**coded, "data": ["/wA=", "YQ=="]})
    with at(httpserver) as client:
        output = client.predict("t/m", {"x": [1.0]}).output
        assert output == attrs.evolve(Tensor.of([[b"\xff\0"], [b"a"]], name="y"), parameters={"a": "b"})
    httpserver.clear()
    serve(httpserver, MLSERVER, {**coded, "data": ["no base64", "YQ=="]})
    with at(httpserver) as client, pytest.raises(InvalidResponseError, match="not the base64"):
        client.predict("t/m", {"x": [1.0]})
