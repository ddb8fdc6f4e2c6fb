"""Tensors: from and to lists, buffers and numpy, and the requests that are made of them."""

from __future__ import annotations

import ctypes
import math
import pickle
import struct
from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipfs_accel._convert.tensors import predict_request
from ipfs_accel.errors import InvalidRequestError, InvalidValueError
from ipfs_accel.types import PredictResponse, Tensor, Values

np = pytest.importorskip("numpy", reason="numpy is the oracle of these tests")

# Datatype, its name in numpy, the least and the greatest value that it holds.
NUMBERS: list[tuple[str, str, Any, Any]] = [
    ("BOOL", "bool", False, True),
    ("UINT8", "uint8", 0, 2**8 - 1),
    ("UINT16", "uint16", 0, 2**16 - 1),
    ("UINT32", "uint32", 0, 2**32 - 1),
    ("UINT64", "uint64", 0, 2**64 - 1),
    ("INT8", "int8", -(2**7), 2**7 - 1),
    ("INT16", "int16", -(2**15), 2**15 - 1),
    ("INT32", "int32", -(2**31), 2**31 - 1),
    ("INT64", "int64", -(2**63), 2**63 - 1),
    ("FP16", "float16", -65504.0, 65504.0),
    ("FP32", "float32", -3.4028234663852886e38, 3.4028234663852886e38),
    ("FP64", "float64", -1.7976931348623157e308, 1.7976931348623157e308),
]
IDS = [each[0] for each in NUMBERS]


@pytest.mark.parametrize(("datatype", "name", "least", "greatest"), NUMBERS, ids=IDS)
def test_every_datatype_has_numpys_bytes_both_ways(datatype: str, name: str, least: Any, greatest: Any) -> None:
    expected = np.array([[least, greatest], [greatest, least]], dtype=name)
    tensor = Tensor.from_list(expected.tolist(), name="x", datatype=datatype)

    assert expected.astype(expected.dtype.newbyteorder("<")).tobytes() == tensor.data
    assert tensor.shape == (2, 2)
    assert expected.tolist() == tensor.to_list()
    assert expected.ravel().tolist() == tensor.flat()
    assert tensor == Tensor.of(expected, "x")
    assert np.array_equal(expected, tensor.to_numpy())
    assert expected.dtype == tensor.to_numpy().dtype
    assert expected.dtype == np.asarray(tensor).dtype
    assert tensor == pickle.loads(pickle.dumps(tensor))  # noqa: S301 - our own


@pytest.mark.parametrize(("datatype", "name", "least", "greatest"), NUMBERS, ids=IDS)
def test_buffers_keep_format_and_shape(datatype: str, name: str, least: Any, greatest: Any) -> None:
    expected = np.array([[least], [greatest], [least]], dtype=name)
    tensor = Tensor.from_buffer(memoryview(expected), name="x")
    view = tensor.to_buffer()

    assert (datatype, (3, 1)) == (tensor.datatype, tensor.shape)
    assert view.shape == (3, 1)
    assert view.readonly
    wanted = expected.view("uint16") if datatype == "FP16" else expected
    assert wanted.tolist() == view.tolist()


@pytest.mark.parametrize("name", ["<i2", ">i2", "<f8", ">f8", ">u4", ">f2"])
def test_the_order_of_bytes_is_little_endian_whatever_it_was(name: str) -> None:
    given_array = np.array([[1, 2, 3], [4, 5, 6]], dtype=name)

    assert Tensor.of(given_array).to_list() == given_array.tolist()
    assert Tensor.from_buffer(memoryview(given_array)).to_list() == given_array.tolist()


def test_strided_arrays_come_row_by_row() -> None:
    whole = np.arange(24, dtype="int32").reshape(2, 3, 4)
    for part in (whole.T, whole[:, ::2, 1:3], whole[::-1]):
        assert part.tolist() == Tensor.of(part).to_list()
        assert part.tolist() == Tensor.from_buffer(memoryview(part)).to_list()


SOURCES: list[tuple[str, Any, str, tuple[int, ...], Any]] = [
    ("an array", array("d", [1, 2]), "FP64", (2,), [1.0, 2.0]),
    ("an array of chars", array("b", [-1]), "INT8", (1,), [-1]),
    ("ctypes", (ctypes.c_int16 * 3)(1, 2, 3), "INT16", (3,), [1, 2, 3]),
    ("a matrix in ctypes", ((ctypes.c_uint32 * 2) * 2)((1, 2), (3, 4)), "UINT32", (2, 2), [[1, 2], [3, 4]]),
    ("a bytearray", bytearray(b"ab"), "UINT8", (2,), [97, 98]),
    ("bytes", b"ab", "BYTES", (), b"ab"),
    ("a text", "é", "BYTES", (), "é".encode()),
    ("a number", 3.5, "FP32", (), 3.5),
    ("whole numbers", [[1, 2]], "INT64", (1, 2), [[1, 2]]),
    ("numbers", [1, 2.5], "FP32", (2,), [1.0, 2.5]),
    ("truths", [True], "BOOL", (1,), [True]),
    ("tuples", ((1,), (2,)), "INT64", (2, 1), [[1], [2]]),
    ("nothing", [], "FP32", (0,), []),
    ("rows of nothing", [[], []], "FP32", (2, 0), [[], []]),
    ("a number of numpy", np.float64(1.5), "FP64", (), 1.5),
    ("texts of numpy", np.array([["a", "bé"]]), "BYTES", (1, 2), [[b"a", "bé".encode()]]),
    ("bytes of numpy", np.array([b"a\xff"]), "BYTES", (1,), [b"a\xff"]),
    ("objects of numpy", np.array([b"a\0", "b"], dtype=object), "BYTES", (2,), [b"a\0", b"b"]),
]


@pytest.mark.parametrize(
    ("name", "source", "datatype", "shape", "expected"), SOURCES, ids=[each[0] for each in SOURCES]
)
def test_whatever_has_elements_is_taken(
    name: str, source: Any, datatype: str, shape: tuple[int, ...], expected: Any
) -> None:
    tensor = Tensor.of(source, "x")

    assert (datatype, shape, expected) == (tensor.datatype, tensor.shape, tensor.to_list())


def test_what_becomes_an_array_of_numpy_is_taken_without_being_one() -> None:
    class Foreign:
        def __array__(self) -> Any:
            return np.array([1, 2], dtype="int8")

    assert Tensor.of(Foreign()).to_list() == [1, 2]


def test_raw_bytes_need_only_a_datatype() -> None:
    data = struct.pack("<4h", 1, 2, 3, 4)

    assert Tensor.from_buffer(data, datatype="INT16").to_list() == [1, 2, 3, 4]
    assert Tensor.from_buffer(data, datatype="INT16", shape=[2, 2]).to_list() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.0, 0x3F80), (-2.0, 0xC000), (0.0, 0), (-0.0, 0x8000), (math.inf, 0x7F80), (-math.inf, 0xFF80),
        (1.00390625, 0x3F80),  # halfway, the even neighbour is below
        (1.01171875, 0x3F82),  # halfway, the even neighbour is above
        (3.4e38, 0x7F80),  # rounds beyond the greatest
        (1e-45, 0),
    ],
)  # fmt: skip
def test_bf16_is_the_nearest_and_even(value: float, expected: int) -> None:
    tensor = Tensor.from_list([value], datatype="BF16")

    assert expected == struct.unpack("<H", tensor.data)[0]


@given(st.lists(st.floats(width=32)))
def test_bf16_is_rounded_as_the_machine_learning_types_of_numpy_are(values: list[float]) -> None:
    bfloat16 = pytest.importorskip("ml_dtypes", reason="numpy itself has no bfloat16").bfloat16
    with np.errstate(all="ignore"):
        expected = np.array(values, dtype="float32").astype(bfloat16)
    ours = Tensor.from_list(values, datatype="BF16")

    assert [str(value) for value in expected.astype("float32")] == [str(value) for value in ours.to_numpy()]
    assert Tensor.of(expected).datatype == "BF16"


def test_bf16_keeps_what_is_no_number() -> None:
    assert math.isnan(Tensor.from_list([math.nan], datatype="BF16").flat()[0])


def test_bf16_has_the_same_values_in_numpy() -> None:
    tensor = Tensor.from_list([[1.0, -2.5], [0.15625, 3e38]], datatype="BF16")

    assert tensor.to_list() == tensor.to_numpy().tolist()
    assert tensor.to_numpy().dtype == "float32"
    assert Tensor.from_list([1.0], datatype="BF16").to_buffer().tolist() == [0x3F80]


@given(st.lists(st.binary(max_size=9), max_size=9))
def test_strings_of_bytes_come_back(values: list[bytes]) -> None:
    tensor = Tensor.from_strings(values, name="x")

    assert values == tensor.flat()
    assert values == tensor.to_numpy().tolist()
    assert b"".join([struct.pack("<I", len(value)) + value for value in values]) == tensor.data


@given(
    st.recursive(st.integers(-(2**63), 2**63 - 1), lambda inner: st.lists(inner, min_size=1, max_size=3), max_leaves=20)
)
def test_nested_lists_are_read_as_numpy_reads_them_or_refused(source: Any) -> None:
    try:
        expected = np.array(source, dtype="int64")
    except ValueError:
        with pytest.raises(InvalidValueError, match=r"differ in"):
            Tensor.of(source)
        return
    tensor = Tensor.of(source)
    assert (expected.shape, expected.tolist()) == (tensor.shape, tensor.to_list())


MISFITS: list[tuple[Any, str | None, str]] = [
    ([1, [2]], None, "x: the lists differ in depth (element 1)"),
    ([[1], [1, 2]], None, "x: the lists of depth 1 differ in length"),
    ([[[1]], [[1, 2]]], None, "x: the lists of depth 2 differ in length"),
    ([None], None, "x: expected numbers, texts, bytes, an array or a buffer, got NoneType (element 0)"),
    ([1, {}], None, "x: expected numbers, texts, bytes, an array or a buffer, got dict (element 1)"),
    (None, None, "x: expected numbers, texts, bytes, an array or a buffer, got NoneType"),
    ({1}, None, "x: expected numbers, texts, bytes, an array or a buffer, got set"),
    (np.zeros(1, "complex64"), None, "x: an array of complex64 has no datatype here"),
    (np.array([None], dtype=object), None, "x: None (element 0) has no place in BYTES"),
    ((ctypes.c_char * 2)(), None, "x: a buffer of the format '<c' has no datatype here"),
    ([1, 300], "UINT8", "x: 300 (element 1) has no place in UINT8"),
    ([-1], "UINT64", "x: -1 (element 0) has no place in UINT64"),
    ([2**63], None, "x: 9223372036854775808 (element 0) has no place in INT64"),
    ([1, 2.5], "INT32", "x: 2.5 (element 1) has no place in INT32"),
    ([1e300], "FP32", "x: 1e+300 (element 0) has no place in FP32"),
    ([70000.0], "FP16", "x: 70000.0 (element 0) has no place in FP16"),
    ([True, 1], "BOOL", "x: 1 (element 1) has no place in BOOL"),
    (["a"], "FP32", "x: 'a' (element 0) has no place in FP32"),
    (["a", 1], "BYTES", "x: 1 (element 1) has no place in BYTES"),
    (["\ud800"], None, r"x: '\ud800' (element 0) has no place in BYTES"),
    ([1], "FP8", "x: nothing is known of elements of FP8"),
    (np.zeros(2, "float64"), "FP32", "x: it is FP64 and not FP32"),
]


@pytest.mark.parametrize(("source", "datatype", "message"), MISFITS, ids=[each[2] for each in MISFITS])
def test_what_does_not_fit_is_named(source: Any, datatype: str | None, message: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        Tensor.of(source, "x", datatype)
    assert message == str(caught.value)


@pytest.mark.parametrize(
    ("datatype", "shape", "data", "message"),
    [
        ("FP32", (2,), b"1234", "FP32 of the shape [2] has 8 bytes, not 4"),
        ("FP32", (-1,), b"", "the shape [-1] has a dimension below 0"),
        ("BYTES", (2,), b"\1\0\0\0a", "the shape [2] has 2 elements, the data 1"),
        ("BYTES", (1,), b"\2\0\0\0a", "the data of BYTES ends within an element"),
        ("BYTES", (1,), b"\2\0\0", "the data of BYTES ends within an element"),
    ],
)
def test_shape_and_data_have_to_agree(datatype: str, shape: tuple[int, ...], data: bytes, message: str) -> None:
    with pytest.raises(InvalidValueError, match=r"^x: ") as caught:
        Tensor(name="x", datatype=datatype, shape=shape, data=data)
    assert f"x: {message}" == str(caught.value)


def test_a_shape_is_made_of_whole_numbers() -> None:
    assert Tensor(datatype="INT8", shape=list(np.array([2, 3])), data=bytes(6)).shape == (2, 3)  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="shape: expected whole numbers"):
        Tensor(datatype="INT8", shape=[1.5], data=b"1")  # type: ignore[list-item]


def test_an_unknown_datatype_is_carried_but_not_read() -> None:
    tensor = Tensor(name="x", datatype="FP8", shape=(3,), data=b"123")

    assert tensor.data == b"123"
    for read in (tensor.flat, tensor.to_list, tensor.to_numpy, tensor.to_buffer):
        with pytest.raises(InvalidValueError, match="elements of FP8 cannot be read here"):
            read()


def test_texts_are_read_from_bytes_only() -> None:
    assert Tensor.of(["a", "é"]).to_strings() == ["a", "é"]
    with pytest.raises(ValueError, match="it is INT64, which are no texts"):
        Tensor.of([1]).to_strings()
    with pytest.raises(UnicodeDecodeError):
        Tensor.of([b"\xff"]).to_strings()


def test_numpy_shares_the_data_and_cannot_write_to_it() -> None:
    tensor = Tensor.of(np.zeros(4, "float32"))

    assert not tensor.to_numpy().flags.writeable
    assert np.array(tensor).flags.writeable
    assert np.array([0, 0, 0, 0], dtype="int8").dtype == np.asarray(tensor, dtype="int8").dtype


INPUTS: list[tuple[str, Any, list[tuple[str, tuple[int, ...]]]]] = [
    ("names", {"a": [1], "b": [[2.0]]}, [("a", (1,)), ("b", (1, 1))]),
    ("a list", [[1, 2]], [("", (1, 2))]),
    ("an array", np.zeros((2, 3)), [("", (2, 3))]),
    ("a tensor", Tensor.of([1], "x"), [("x", (1,))]),
    ("tensors", [Tensor.of([1], "x"), Tensor.of([1, 2], "y")], [("x", (1,)), ("y", (2,))]),
    ("a tensor by another name", {"y": Tensor.of([1], "x")}, [("y", (1,))]),
]


@pytest.mark.parametrize(("name", "inputs", "expected"), INPUTS, ids=[each[0] for each in INPUTS])
def test_inputs_are_taken_as_callers_write_them(name: str, inputs: Any, expected: Any) -> None:
    request = predict_request("m", inputs, {})

    assert expected == [(tensor.name, tensor.shape) for tensor in request.inputs]


def test_lists_wait_for_the_models_datatype() -> None:
    (values,) = predict_request("m", {"x": [1, 2]}, {}).inputs

    assert isinstance(values, Values)
    assert values.typed("FP16").datatype == "FP16"


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        ({}, {}, "inputs: there is none"),
        ({"": [1]}, {}, "inputs: '' is no name of an input"),
        ({1: [1]}, {}, "inputs: 1 is no name of an input"),
        ([Tensor.of([1], "x"), Tensor.of([1])], {}, "inputs: there are several, and one has no name"),
        ([Tensor.of([1], "x"), Tensor.of([2], "x")], {}, "inputs: 'x' is there twice"),
        ({"x": object()}, {}, "x: expected numbers, texts, bytes, an array or a buffer, got object"),
        ([1], {"version": True}, "version: expected a name or a number, got True"),
        ([1], {"version": ""}, "version: expected a name or a number, got ''"),
        ([1], {"outputs": [1]}, "outputs[0]: expected a string, got int"),
        ([1], {"output": "y"}, "output: unknown option of PredictRequest"),
    ],
)
def test_a_wrong_argument_is_named(inputs: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises((InvalidRequestError, InvalidValueError)) as caught:
        predict_request("m", inputs, options)
    assert message == str(caught.value)


def test_options_of_a_prediction() -> None:
    request = predict_request("m", [1], {"version": 3, "outputs": "y", "extra": {"id": "1"}})

    assert (request.model, request.version, request.outputs, request.extra) == ("m", "3", ("y",), {"id": "1"})


def test_outputs_by_name_and_the_only_one() -> None:
    one, two = Tensor.of([1], "a"), Tensor.of([2], "b")

    assert one == PredictResponse(outputs=(one,)).output
    assert two == PredictResponse(outputs=(one, two))["b"]
    with pytest.raises(ValueError, match="2 outputs: a, b"):
        PredictResponse(outputs=(one, two)).output  # noqa: B018
    with pytest.raises(KeyError, match="'c' is none of the outputs: a, b"):
        PredictResponse(outputs=(one, two))["c"]
