"""What a value refuses: by itself a ValueError, in a call the caller's error, wherever in the call it was made."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest
from ipfs_accel import BackendInfo, Client, Config, Image, hookimpl
from ipfs_accel.errors import AccelError, InvalidRequestError, InvalidValueError, PluginError
from ipfs_accel.plans import Endpoint, Flow, Job, Local, Ready
from ipfs_accel.types import PredictRequest, PredictResponse, Tensor, Upload


def typed(request: PredictRequest) -> PredictResponse:
    return PredictResponse(outputs=tuple([Tensor.of(each, each.name, "INT8") for each in request.inputs]))


class Shaky:
    """Makes tensors at each moment at which a plugin may; `where` says at which."""

    api_version = 1

    def __init__(self, where: str, make: Callable[[PredictRequest], Any] = typed) -> None:
        self.where = where
        self.make = make

    @hookimpl
    def describe(self) -> BackendInfo:
        return BackendInfo(name="shaky")

    @hookimpl
    def predict(self, endpoint: Endpoint, request: PredictRequest) -> Any:
        if self.where == "flow":
            return Flow(steps=lambda: self._steps(request))
        return self._plan(request)

    def _plan(self, request: PredictRequest) -> Any:
        if self.where == "local":
            return Local(run=lambda job: self._in_a_thread(request, job))
        return Ready(self.make(request))

    def _steps(self, request: PredictRequest) -> Any:
        return Ready(self.make(request))
        yield

    def _in_a_thread(self, request: PredictRequest, _job: Job) -> Any:
        return self.make(request)

    @hookimpl
    def calls(self) -> Any:
        return {"own": lambda endpoint, inputs: self._plan(PredictRequest(inputs=(Tensor.of(inputs, "x"),)))}


CALLS: dict[str, Callable[[Client, Any], Any]] = {
    "predict": lambda client, inputs: client.predict("shaky/m", {"x": inputs}),
    "own": lambda client, inputs: client.call("shaky", "own", inputs=inputs),
}


def failure(plugin: Shaky, call: str, inputs: Any) -> AccelError:
    with Client(Config(environ={}), plugins=[plugin]) as client, pytest.raises(AccelError) as caught:
        CALLS[call](client, inputs)
    return caught.value


@pytest.mark.parametrize(
    ("where", "call"),
    [("plan", "predict"), ("flow", "predict"), ("local", "predict"), ("plan", "own"), ("local", "own")],
)
def test_it_is_the_callers_error(where: str, call: str) -> None:
    error = failure(Shaky(where), call, [300])

    assert isinstance(error, InvalidRequestError)
    assert (error.endpoint, error.backend) == ("shaky", "shaky")
    assert "x: 300 (element 0) has no place in INT8" in str(error) or "x: it is INT64 and not INT8" in str(error)
    assert error.__cause__ is None or isinstance(error.__cause__, InvalidValueError)


def test_it_names_the_endpoint_before_the_backend_is_asked() -> None:
    error = failure(Shaky("plan"), "predict", object())

    assert isinstance(error, InvalidRequestError)
    assert str(error) == "shaky/m: x: expected numbers, texts, bytes, an array or a buffer, got object"


@pytest.mark.parametrize("where", ["plan", "flow", "local"])
@pytest.mark.parametrize("call", ["predict", "own"])
def test_any_other_error_is_the_plugins(where: str, call: str) -> None:
    def broken(request: PredictRequest) -> Any:
        raise ValueError("no such thing")

    error = failure(Shaky(where, broken), call, [1])

    assert isinstance(error, PluginError)
    assert "the backend 'shaky' failed" in error.message
    assert error.hint == "this is a defect of the plugin; please report it to its authors"


def test_a_value_alone_raises_a_value_error_with_its_hint() -> None:
    with pytest.raises(ValueError, match="an array of complex64 has no datatype") as caught:
        Tensor.of(pytest.importorskip("numpy").zeros(2, "complex64"), "x")

    assert isinstance(caught.value, InvalidValueError)
    assert not isinstance(caught.value, AccelError)
    assert caught.value.__notes__ == ["hint: convert it with astype(…)"]
    assert pickle.loads(pickle.dumps(caught.value)).hint == "convert it with astype(…)"  # noqa: S301


def test_a_file_that_is_not_there_is_named_by_the_call(tmp_path: Any) -> None:
    with pytest.raises(InvalidValueError, match="file: cannot read"):
        Upload.of(tmp_path / "none")
    for path in ("a\0b", "a\ud800"):
        with pytest.raises(InvalidValueError, match=r"^file: 'a.* is no path of a file$"):
            Upload.of(path)
        with pytest.raises(InvalidValueError, match=r"^image: 'a.* is no path of a file$"):
            Image.from_path(path)
    with Client(Config(environ={}), plugins=[Shaky("plan")]) as client:
        with pytest.raises(InvalidRequestError, match=r"^shaky: file: cannot read .*none: No such file"):
            client.upload_file("shaky", tmp_path / "none")
        with pytest.raises(InvalidRequestError, match=r"^shaky/m: audio: cannot read .*none: No such file"):
            client.transcribe("shaky/m", tmp_path / "none")
