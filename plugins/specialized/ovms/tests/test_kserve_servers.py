"""Tensors against three servers of KServe v2 that nobody here wrote, each in an environment of its own."""

from __future__ import annotations

import asyncio
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel import AsyncClient, Client, EndpointConfig
from ipfs_accel.errors import (
    BadRequestError,
    InternalServerError,
    InvalidRequestError,
    InvalidResponseError,
    ModelNotFoundError,
    NotFoundError,
    NotSupportedByServerError,
    OverloadedError,
    PermissionDeniedError,
    StreamInterrupted,
    UnsupportedOperationError,
)
from ipfs_accel.types import Tensor

from conftest import free_port, peer_python, started

np = pytest.importorskip("numpy")

# The first of them installs what it needs.
pytestmark = pytest.mark.peer

SERVERS = Path(__file__).parent / "servers"


@contextmanager
def running(name: str, requirement: str, *, ports: int, model: str) -> Iterator[str]:
    """Run a server until the end of the block; it is ready when the model is."""
    python = peer_python(requirement.replace("==", "-"), requirement)
    numbers = [free_port() for _ in range(ports)]
    url = f"http://127.0.0.1:{numbers[0]}"
    # Triton's stub loads the interpreter as a shared library, and has to find the same one.
    command = ["env", f"LD_LIBRARY_PATH={sysconfig.get_config_var('LIBDIR') or ''}", str(python)]
    script = [str(SERVERS / f"serve_{name}.py"), *map(str, numbers)]
    with started([*command, *script], f"{url}/v2/models/{model}/ready"):
        yield url


@pytest.fixture(scope="module")
def triton() -> Iterator[str]:
    """NVIDIA's Triton, the reference of KServe v2 with its binary extension."""
    with running("triton", "nvidia-pytriton==0.7.0", ports=3, model="scale") as url:
        yield url


@pytest.fixture(scope="module")
def mlserver() -> Iterator[str]:
    """Seldon's MLServer: JSON only."""
    with running("mlserver", "mlserver==1.7.1", ports=3, model="scale") as url:
        yield url


@pytest.fixture(scope="module")
def kserve() -> Iterator[str]:
    """KServe's server for Python models: v1 and v2, bytes inward."""
    with running("kserve", "kserve==0.21.0", ports=1, model="scale") as url:
        yield url


DATA: dict[str, list[list[Any]]] = {
    "BOOL": [[True, False]],
    "UINT8": [[0, 255]],
    "UINT16": [[0, 2**16 - 1]],
    "UINT32": [[0, 2**32 - 1]],
    "UINT64": [[0, 2**64 - 1]],
    "INT8": [[-(2**7), 2**7 - 1]],
    "INT16": [[-(2**15), 2**15 - 1]],
    "INT32": [[-(2**31), 2**31 - 1]],
    "INT64": [[-(2**63), 2**63 - 1]],
    "FP16": [[0.5, -65504.0]],
    "FP32": [[0.1, -3.4028234663852886e38]],
    "FP64": [[0.1, 1.7976931348623157e308]],
    "BYTES": [["a", "bé", ""]],
}
TENSORS = {name: Tensor.from_list(values, datatype=name) for name, values in DATA.items()}
PLAIN = {name: tensor for name, tensor in TENSORS.items() if name != "FP16"}


@pytest.fixture(params=["triton", "mlserver", "kserve"])
def server(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Return name and URL of each server in turn."""
    return request.param, request.getfixturevalue(request.param)


@pytest.fixture
def client(server: tuple[str, str]) -> Iterator[Client]:
    """A client of that server, as endpoint `s`; as `json` without bytes, and as `unchecked` without the metadata."""
    with Client(endpoints=endpoints(server[1])) as found:
        yield found


def endpoints(url: str) -> dict[str, EndpointConfig]:
    return {
        "s": EndpointConfig(backend="ovms", base_url=url),
        "json": EndpointConfig(backend="ovms", base_url=url, options={"binary": "never"}),
        "unchecked": EndpointConfig(backend="ovms", base_url=url, options={"check": "none"}),
    }


def test_every_datatype_comes_back_as_it_was(server: tuple[str, str], client: Client) -> None:
    answer = client.predict("s/echo", TENSORS)

    assert len(answer.outputs) == len(TENSORS)
    for key, tensor in TENSORS.items():
        output = answer[f"{key}_out"]
        assert (output.datatype, output.shape, output.data) == (key, tensor.shape, tensor.data)
    assert answer.model == "echo"


def test_every_datatype_comes_back_in_json(server: tuple[str, str], client: Client) -> None:
    name, _ = server
    if name == "triton":  # its model takes all or nothing, and one has no form in JSON
        with pytest.raises(InvalidRequestError, match="inputs: FP16: FP16 has no form in JSON"):
            client.predict("json/echo", TENSORS)
        answer = client.predict("json/scale", {"x": [[1, 2, 3]]})
        assert answer["doubled"].to_list() == [[2.0, 4.0, 6.0]]
        assert answer["total"].to_list() == [[6]]
        return
    answer = client.predict("json/echo", PLAIN)
    for key, tensor in PLAIN.items():
        assert answer[f"{key}_out"].data == tensor.data


def test_what_json_has_no_form_for_goes_as_bytes(triton: str) -> None:
    odd = {
        **TENSORS,
        "FP16": Tensor.of(np.array([[np.nan, np.inf]], dtype="float16")),
        "FP32": Tensor.of(np.array([[np.nan, -np.inf]], dtype="float32")),
        "BYTES": Tensor.of([[b"\xff\0", b"a"]]),
    }
    with Client(endpoints=endpoints(triton)) as client:
        answer = client.predict("s/echo", odd)
    for key, tensor in odd.items():
        assert answer[f"{key}_out"].data == tensor.data


def test_lists_take_the_models_datatype(client: Client) -> None:
    answer = client.predict("s/scale", [[1, 2, 3], [4, 5, 6]])

    assert answer["doubled"] == Tensor.from_list([[2, 4, 6], [8, 10, 12]], name="doubled", datatype="FP32")
    assert np.array_equal(answer["doubled"].to_numpy(), [[2, 4, 6], [8, 10, 12]])


def test_outputs_can_be_chosen(client: Client) -> None:
    answer = client.predict("s/scale", np.ones((2, 3), dtype="float32"), outputs="doubled")

    assert answer.output.to_list() == [[2.0, 2.0, 2.0], [2.0, 2.0, 2.0]]


def test_an_output_that_is_not_there_is_an_error(client: Client) -> None:
    with pytest.raises(InvalidRequestError, match="outputs: the model has no 'nope'"):
        client.predict("s/scale", [[1, 2, 3]], outputs=["nope"])
    with pytest.raises((BadRequestError, InvalidResponseError), match=r"nope|unexpected inference output"):
        client.predict("unchecked/scale", {"x": np.ones((1, 3), dtype="float32")}, outputs=["nope"])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.ones((2, 3)), "inputs: x is FP64, expected x: FP32 [-1, 3]"),
        (np.ones((2, 4), dtype="float32"), "inputs: x has the shape [2, 4], expected x: FP32 [-1, 3]"),
        ([1.0, 2.0, 3.0], "inputs: x has the shape [3], expected x: FP32 [-1, 3]"),
        ({"z": [[1, 2, 3]]}, "inputs: the model has no 'z'"),
        ({"x": [["a", "b", "c"]]}, "x: 'a' (element 0) has no place in FP32"),
    ],
)
def test_what_does_not_fit_is_not_sent(client: Client, inputs: Any, message: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        client.predict("s/scale", inputs)
    assert caught.value.message == message


def test_a_missing_input_is_named(triton: str) -> None:
    with (
        Client(endpoints=endpoints(triton)) as client,
        pytest.raises(InvalidRequestError, match=r"inputs: INT8: INT8 \[-1, -1\] is missing"),
    ):
        client.predict("s/echo", {name: tensor for name, tensor in TENSORS.items() if name != "INT8"})


def test_the_server_says_the_same_of_what_was_not_checked(server: tuple[str, str], client: Client) -> None:
    if server[0] == "triton":
        with pytest.raises(BadRequestError, match=r"unexpected datatype TYPE_FP64|data-type is 'FP64'|FP64"):
            client.predict("unchecked/scale", {"x": np.ones((2, 3))})
    with pytest.raises(InvalidRequestError, match="inputs: the server does not tell their names here"):
        client.predict("unchecked/scale", [[1, 2, 3]])


@pytest.mark.parametrize("endpoint", ["s", "json"])
def test_an_error_of_the_model_is_the_servers(server: tuple[str, str], client: Client, endpoint: str) -> None:
    kind = InternalServerError if server[0] == "triton" else BadRequestError
    with pytest.raises(kind, match="a value is negative"):
        client.predict(f"{endpoint}/scale", [[-1, 2, 3]])


@pytest.mark.parametrize("endpoint", ["s", "unchecked"])
def test_a_model_that_is_not_there(client: Client, endpoint: str) -> None:
    with pytest.raises(ModelNotFoundError, match="nope"):
        client.predict(f"{endpoint}/nope", {"x": [1]})


def test_a_version_that_is_not_there(server: tuple[str, str], client: Client) -> None:
    kind = NotSupportedByServerError if server[0] == "kserve" else ModelNotFoundError
    with pytest.raises(kind, match="version"):
        client.predict("s/scale", [[1, 2, 3]], version=7)


@pytest.mark.parametrize(("name", "version"), [("triton", "1"), ("mlserver", "3")])
def test_a_version_that_is_there(request: pytest.FixtureRequest, name: str, version: str) -> None:
    sent = TENSORS if name == "triton" else {"INT8": TENSORS["INT8"]}
    with Client(endpoints=endpoints(request.getfixturevalue(name))) as client:
        assert client.predict("s/echo", sent, version=version).version == version


def test_the_id_of_a_request_comes_back(client: Client) -> None:
    assert client.predict("s/scale", [[1, 2, 3]], extra={"id": "r-17"}).id == "r-17"


def test_live_ready_and_metadata(server: tuple[str, str], client: Client) -> None:
    name, _ = server

    assert client.call("s", "server_live") is True
    assert client.call("s", "server_ready") is True
    assert client.call("s", "server_metadata")["name"] == name
    assert client.call("s", "model_ready", model="scale") is True
    assert client.call("s", "model_ready", model="nope") is False
    assert client.call("s", "model_metadata", model="scale")["inputs"][0]["name"] == "x"
    health = client.healthcheck("s")
    assert health.ok
    assert (health.server or "").startswith(name)


def test_what_a_model_can_do(client: Client) -> None:
    info = client.show_model("s/scale")

    assert info.raw["inputs"] == [{**info.raw["inputs"][0], "datatype": "FP32", "shape": [-1, 3]}]
    assert client.supports("s/scale", "predict").value == "yes"
    assert client.supports("s/scale", "chat").value == "no"


def test_the_list_of_models(server: tuple[str, str], client: Client) -> None:
    if server[0] == "triton":  # PyTriton keeps its list to itself
        with pytest.raises(UnsupportedOperationError, match="does not list its models"):
            client.list_models("s")
        with pytest.raises(PermissionDeniedError):
            client.call("s", "repository_index")
        return
    assert {model.id for model in client.list_models("s")} >= {"echo", "scale"}


def test_a_model_can_be_unloaded_and_loaded(mlserver: str) -> None:
    with Client(endpoints=endpoints(mlserver)) as client:
        client.call("s", "unload_model", model="echo")
        assert client.call("s", "model_ready", model="echo") is False
        with pytest.raises(ModelNotFoundError):
            client.predict("s/echo", {"INT8": TENSORS["INT8"]})
        states = {each["name"]: each["state"] for each in client.call("s", "repository_index")}
        assert states["scale"] == "READY"
        client.call("s", "load_model", model="echo")
        assert client.call("s", "model_ready", model="echo") is True
        assert client.predict("s/echo", {"INT8": TENSORS["INT8"]}).output.data == TENSORS["INT8"].data


def test_a_server_that_does_not_understand_bytes_fails(mlserver: str) -> None:
    named = {"s": EndpointConfig(backend="ovms", base_url=mlserver, options={"binary": "always"})}
    with Client(endpoints=named) as client, pytest.raises(InternalServerError):
        client.predict("s/scale", [[1, 2, 3]])


def test_a_prediction_in_pieces(mlserver: str) -> None:
    with Client(endpoints=endpoints(mlserver)) as client:
        with client.stream_call("s", "infer_stream", model="scale", inputs=[[1, 2, 3], [4, 5, 6]]) as stream:
            pieces = list(stream)
        assert [piece["doubled"].to_list() for piece in pieces] == [[[2.0, 4.0, 6.0]], [[8.0, 10.0, 12.0]]]
        assert stream.response == tuple(pieces)
        with pytest.raises(InvalidRequestError, match=r"x has the shape \[1, 2\]"):
            client.stream_call("s", "infer_stream", model="scale", inputs=[[1, 2]]).read()
        with pytest.raises(ModelNotFoundError):
            client.stream_call("s", "infer_stream", model="nope", inputs=[[1, 2]]).read()
        with pytest.raises(StreamInterrupted, match="the stream broke off"):  # all that it does about an error
            client.stream_call("s", "infer_stream", model="scale", inputs=[[1, 2, 3], [-4, 5, 6]]).read()

    async def ask() -> Any:
        async with (
            AsyncClient(endpoints=endpoints(mlserver)) as client,
            client.stream_call("s", "infer_stream", model="scale", inputs=[[1, 2, 3]]) as stream,
        ):
            return await stream.read()

    assert [piece["total"].to_list() for piece in asyncio.run(ask())] == [[[6]]]


def test_kserves_own_state_of_a_model_that_is_not_ready(kserve: str) -> None:
    with Client(endpoints=endpoints(kserve)) as client:
        client.call("s", "unload_model", model="gone")
        assert client.call("s", "model_ready", model="gone") is False
        with pytest.raises(ModelNotFoundError):
            client.predict("s/gone", {"x": [[1, 2, 3]]})
        with pytest.raises(OverloadedError, match="is not ready"):
            client.call("s", "load_model", model="gone")


def test_metrics_at_their_own_port(kserve: str) -> None:
    port = int(kserve.rpartition(":")[2])
    with Client(endpoints={"s": EndpointConfig(backend="ovms", base_url="http://127.0.0.1:1")}) as client:
        assert "python_info" in client.call("s", "metrics", port=port)


def test_kserves_first_version(kserve: str) -> None:
    """Its `:predict` is TensorFlow Serving's, but has no metadata."""
    rows = EndpointConfig(backend="ovms", base_url=kserve, options={"dialect": "tfserving", "rows": True})
    columns = EndpointConfig(backend="ovms", base_url=kserve, options={"dialect": "tfserving"})
    with Client(endpoints={"rows": rows, "columns": columns}) as client:
        for endpoint in ("rows", "columns"):
            answer = client.predict(f"{endpoint}/echo", [[1, 2], [3, 4.5]])
            assert answer.output.to_list() == [[1.0, 2.0], [3.0, 4.5]]
        assert client.predict("rows/echo", {"a": [1, 2], "b": ["x", "y"]})["b"].to_strings() == ["x", "y"]


def test_the_same_awaited(server: tuple[str, str]) -> None:
    async def ask() -> list[Any]:
        async with AsyncClient(endpoints=endpoints(server[1])) as client:
            answers = await asyncio.gather(*[client.predict("s/scale", [[at, 2, 3]]) for at in range(8)])
            return [answer["doubled"].to_list()[0][0] for answer in answers]

    assert asyncio.run(ask()) == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0]


def test_a_large_tensor(triton: str) -> None:
    large = np.random.default_rng(7).random((8, 250_000), dtype="float32")
    sent = {**TENSORS, "FP32": Tensor.of(large)}
    sent = {
        name: Tensor.of(np.repeat(tensor.to_numpy(), 8, axis=0)) if name != "FP32" else tensor
        for name, tensor in sent.items()
    }
    with Client(endpoints=endpoints(triton)) as client:
        answer = client.predict("s/echo", sent)
    assert np.array_equal(answer["FP32_out"].to_numpy(), large)


def test_a_server_without_kserve_v2_has_none(kserve: str) -> None:
    """What the server says of a wrong base URL is an error of its own, and no wrong answer."""
    with (
        Client(endpoints={"s": EndpointConfig(backend="ovms", base_url=f"{kserve}/elsewhere")}) as client,
        pytest.raises(NotFoundError),
    ):
        client.predict("s/scale", {"x": [[1, 2, 3]]})
