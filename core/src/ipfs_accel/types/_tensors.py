"""Arrays of elements of one datatype, in the names and the form of the Open Inference Protocol (KServe v2)."""

from __future__ import annotations

import struct
import sys
from collections.abc import Mapping, Sequence
from math import prod
from operator import index
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import attrs

from ipfs_accel._invalid import InvalidValueError
from ipfs_accel._values import frozen

if TYPE_CHECKING:
    from typing import TypeVar

    from numpy.typing import NDArray

    T = TypeVar("T")

# Of each datatype of the Open Inference Protocol: bytes of an element, code of `struct`, name in numpy.
_TYPES: dict[str, tuple[int, str, str]] = {
    "BOOL": (1, "?", "bool"),
    "UINT8": (1, "B", "uint8"),
    "UINT16": (2, "H", "uint16"),
    "UINT32": (4, "I", "uint32"),
    "UINT64": (8, "Q", "uint64"),
    "INT8": (1, "b", "int8"),
    "INT16": (2, "h", "int16"),
    "INT32": (4, "i", "int32"),
    "INT64": (8, "q", "int64"),
    "FP16": (2, "e", "float16"),
    "BF16": (2, "H", "bfloat16"),
    "FP32": (4, "f", "float32"),
    "FP64": (8, "d", "float64"),
}
_OF_NUMPY = {name: datatype for datatype, (_, _, name) in _TYPES.items()}
_KINDS = {"?": "?", **dict.fromkeys("bhilqn", "i"), **dict.fromkeys("BHILQN", "u"), **dict.fromkeys("efd", "f")}
_OF_FORMAT = {(_KINDS[code], size): datatype for datatype, (size, code, _) in _TYPES.items() if datatype != "BF16"}
_LENGTH = struct.Struct("<I")
_NATIVE_IS_LITTLE = sys.byteorder == "little"

DATATYPES: tuple[str, ...] = (*_TYPES, "BYTES")
"""Names of the datatypes that are known."""

TensorSource: TypeAlias = "Tensor | Values | Any"


def item_size(datatype: str) -> int | None:
    """Return the bytes of an element; None for BYTES, whose elements differ, and for unknown datatypes."""
    known = _TYPES.get(datatype)
    return None if known is None else known[0]


def _dimensions(shape: Sequence[int]) -> tuple[int, ...]:
    try:
        return tuple(map(index, shape))
    except TypeError:
        raise InvalidValueError(f"shape: expected whole numbers, got {shape!r}") from None


@frozen(kw_only=True)
class Tensor:
    """An array of elements of one datatype.

    Attributes:
        name: As the model calls the input or output; empty for the only input of a model.
        datatype: BOOL, UINT8 to UINT64, INT8 to INT64, FP16, BF16, FP32, FP64, or BYTES (texts and other strings of
            bytes); others can be carried, but not read.
        shape: How many elements there are along each dimension.
        data: The elements, row by row and little-endian. An element of BYTES has its length before it, in four bytes.
        parameters: What else the protocol carries beside it.
    """

    name: str = ""
    datatype: str
    shape: tuple[int, ...] = attrs.field(converter=_dimensions)
    data: bytes = attrs.field(repr=lambda data: f"<{len(data)} bytes>")
    parameters: Mapping[str, Any] = attrs.field(factory=dict, repr=False)

    def __attrs_post_init__(self) -> None:
        if any(size < 0 for size in self.shape):
            raise self._wrong(f"the shape {list(self.shape)} has a dimension below 0")
        expected = item_size(self.datatype)
        if expected is not None and len(self.data) != expected * prod(self.shape):
            raise self._wrong(
                f"{self.datatype} of the shape {list(self.shape)} has {expected * prod(self.shape)} bytes, "
                f"not {len(self.data)}"
            )
        if self.datatype == "BYTES":
            count = len(self._strings())
            if count != prod(self.shape):
                raise self._wrong(f"the shape {list(self.shape)} has {prod(self.shape)} elements, the data {count}")

    @classmethod
    def of(cls, source: TensorSource, name: str = "", datatype: str | None = None) -> Self:
        """Accept whatever `client.predict` does; numbers become INT64 or FP32 where `datatype` says nothing else."""
        value = tensor_or_values(source, name)
        tensor = value if isinstance(value, Tensor) else value.typed(datatype)
        if datatype is not None and tensor.datatype != datatype:
            raise tensor._wrong(f"it is {tensor.datatype} and not {datatype}")  # noqa: SLF001 - of this very class
        return tensor  # type: ignore[return-value]

    @classmethod
    def from_list(cls, values: Any, *, name: str = "", datatype: str | None = None) -> Self:
        """Make one from a number, a text or bytes, or a list of them, nested as deep as it has dimensions."""
        return Values.of(values, name).typed(datatype)  # type: ignore[return-value]

    @classmethod
    def from_strings(cls, values: Sequence[bytes], *, name: str = "", shape: Sequence[int] | None = None) -> Self:
        """Make one of BYTES."""
        data = b"".join([piece for value in values for piece in (_LENGTH.pack(len(value)), value)])
        return cls(name=name, datatype="BYTES", shape=(len(values),) if shape is None else shape, data=data)

    @classmethod
    def from_buffer(
        cls, source: Any, *, name: str = "", datatype: str | None = None, shape: Sequence[int] | None = None
    ) -> Self:
        """Make one from an object with the buffer protocol, such as an `array`, a `memoryview` or a ctypes array.

        Args:
            source: The elements; its own format and shape hold where the next two say nothing else.
            name: As for the class.
            datatype: What the bytes are; they are then taken as they are.
            shape: As for the class.
        """
        view = memoryview(source)
        data = view.tobytes()
        if datatype is None:
            order, code = view.format[:-1], view.format[-1]
            datatype = _OF_FORMAT.get((_KINDS.get(code, ""), view.itemsize))
            if datatype is None or order not in {"", "@", "=", "<", ">", "!"}:
                raise InvalidValueError(
                    f"{name or 'tensor'}: a buffer of the format {view.format!r} has no datatype here",
                    hint=f"name one of {', '.join(DATATYPES)}",
                )
            if order in {">", "!"} or (order != "<" and not _NATIVE_IS_LITTLE):
                data = _swapped(data, view.itemsize)
            own = view.shape or ()
        else:
            own = (len(data) // (item_size(datatype) or 1),)
        return cls(name=name, datatype=datatype, shape=own if shape is None else shape, data=data)

    @classmethod
    def from_numpy(cls, array: Any, *, name: str = "") -> Self:
        """Make one from a numpy array, or from what can become one, such as a tensor of PyTorch."""
        array = array.__array__()
        if array.dtype.kind in "SUO":
            values = Values(name=name, shape=array.shape, values=tuple(array.ravel().tolist()))
            return values.typed("BYTES")  # type: ignore[return-value]
        datatype = _OF_NUMPY.get(array.dtype.name)
        if datatype is None:
            raise InvalidValueError(
                f"{name or 'tensor'}: an array of {array.dtype.name} has no datatype here",
                hint="convert it with astype(…)",
            )
        is_big = array.dtype.byteorder == ">" or (array.dtype.byteorder == "=" and not _NATIVE_IS_LITTLE)
        data = array.tobytes()
        data = _swapped(data, array.dtype.itemsize) if is_big else data
        return cls(name=name, datatype=datatype, shape=array.shape, data=data)

    def flat(self) -> list[Any]:
        """Return the elements as numbers, bools or bytes, row by row."""
        if self.datatype == "BYTES":
            return list(self._strings())
        _, code, _ = self._known()
        count = prod(self.shape)
        if self.datatype == "BF16":
            widened = b"".join([b"\0\0" + self.data[start : start + 2] for start in range(0, 2 * count, 2)])
            return list(struct.unpack(f"<{count}f", widened))
        return list(struct.unpack(f"<{count}{code}", self.data))

    def to_list(self) -> Any:
        """Return the elements nested by shape; without dimensions just the element."""
        return nested(self.flat(), self.shape)

    def to_strings(self) -> list[str]:
        """Return the elements of BYTES as texts.

        Raises:
            ValueError: They are none, or not UTF-8.
        """
        if self.datatype != "BYTES":
            raise self._wrong(f"it is {self.datatype}, which are no texts")
        return [value.decode() for value in self._strings()]

    def to_buffer(self) -> memoryview:
        """Return a view of the data with its format and shape, where Python has a format for the datatype.

        FP16 and BF16 come as unsigned 16-bit numbers, which hold their bits.
        """
        size, code, _ = self._known()
        data = self.data if _NATIVE_IS_LITTLE else _swapped(self.data, size)
        code = "H" if code == "e" else code
        view = memoryview(data)
        # A view without elements cannot be given a shape.
        return view.cast(code, self.shape) if data else view.cast(code)  # type: ignore[call-overload,no-any-return]

    def to_numpy(self) -> NDArray[Any]:
        """Return a numpy array of the same shape; it shares the data and cannot be written to.

        BYTES becomes an array of objects and BF16, which numpy has not, one of float32 with the same values.
        """
        import numpy as np  # noqa: PLC0415 - only those who ask for it need it

        if self.datatype == "BYTES":
            array = np.empty(prod(self.shape), dtype=object)
            array[:] = self._strings()
        elif self.datatype == "BF16":
            bits = np.frombuffer(self.data, dtype="<u2").astype("<u4") << 16
            array = bits.view("<f4")
        else:
            array = np.frombuffer(self.data, dtype=np.dtype(self._known()[2]).newbyteorder("<"))
        return array.reshape(self.shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Let `numpy.asarray(tensor)` work."""
        array = self.to_numpy()
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    def _strings(self) -> list[bytes]:
        found, at, data = [], 0, self.data
        while at < len(data):
            start = at + _LENGTH.size
            at = start + _LENGTH.unpack_from(data, at)[0] if start <= len(data) else len(data) + 1
            if at > len(data):
                raise self._wrong("the data of BYTES ends within an element")
            found.append(data[start:at])
        return found

    def _known(self) -> tuple[int, str, str]:
        known = _TYPES.get(self.datatype)
        if known is None:
            raise self._wrong(f"elements of {self.datatype} cannot be read here; data has their bytes")
        return known

    def _wrong(self, message: str) -> InvalidValueError:
        return InvalidValueError(f"{self.name or 'tensor'}: {message}")


@frozen(kw_only=True)
class Values:
    """Elements whose datatype is the model's to say: what a caller wrote as lists.

    Attributes:
        name: As for `Tensor`.
        shape: Likewise.
        values: Bools, numbers, or texts and bytes, row by row.
    """

    name: str = ""
    shape: tuple[int, ...]
    values: tuple[Any, ...] = attrs.field(repr=lambda values: f"<{len(values)} values>")

    @classmethod
    def of(cls, source: Any, name: str = "") -> Self:
        """Read a nested list; all lists of one depth have to have the same length."""
        flat: Sequence[Any] = [source]
        shape: list[int] = []
        while flat and isinstance(flat[0], list | tuple):
            size = len(flat[0])
            for each in flat:
                if not isinstance(each, list | tuple) or len(each) != size:
                    raise InvalidValueError(f"{name or 'tensor'}: the lists of depth {len(shape)} differ in length")
            shape.append(size)
            flat = [item for each in flat for item in each]
        for position, item in enumerate(flat):
            if not isinstance(item, bool | int | float | str | bytes):
                what = "the lists differ in depth" if isinstance(item, list | tuple) else _unfit(item)
                raise InvalidValueError(f"{name or 'tensor'}: {what} (element {position})")
        return cls(name=name, shape=tuple(shape), values=tuple(flat))

    @property
    def datatype(self) -> str:
        """What the elements are if nobody says otherwise: BOOL, INT64, FP32 or BYTES."""
        kinds = set(map(type, self.values))
        if kinds <= {str, bytes} and kinds:
            return "BYTES"
        if kinds == {bool}:
            return "BOOL"
        return "INT64" if all(issubclass(kind, int) for kind in kinds) and kinds else "FP32"

    def typed(self, datatype: str | None = None) -> Tensor:
        """Return them as a tensor.

        Raises:
            InvalidValueError: An element has no place in the datatype; the message has its index.
        """
        datatype = datatype or self.datatype
        if datatype == "BYTES":
            strings = [self._bytes(value, position) for position, value in enumerate(self.values)]
            return Tensor.from_strings(strings, name=self.name, shape=self.shape)
        known = _TYPES.get(datatype)
        if known is None:
            raise InvalidValueError(
                f"{self.name or 'tensor'}: nothing is known of elements of {datatype}",
                hint="give a Tensor, whose data are the bytes",
            )
        return Tensor(name=self.name, datatype=datatype, shape=self.shape, data=self._packed(datatype, known[1]))

    def _packed(self, datatype: str, code: str) -> bytes:
        values = self.values
        if datatype == "BOOL" and not all(type(value) is bool for value in values):
            raise self._misfit(datatype, next(i for i, value in enumerate(values) if type(value) is not bool))
        narrow = datatype == "BF16"
        code = "f" if narrow else code
        try:
            data = struct.pack(f"<{len(values)}{code}", *values)
        except (struct.error, OverflowError):
            raise self._misfit(datatype, _first_misfit(code, values)) from None
        return _halved(data) if narrow else data

    def _bytes(self, value: Any, position: int) -> bytes:
        if isinstance(value, str):
            try:
                return value.encode()
            except UnicodeEncodeError:
                raise self._misfit("BYTES", position) from None
        if not isinstance(value, bytes):
            raise self._misfit("BYTES", position)
        return value

    def _misfit(self, datatype: str, position: int) -> InvalidValueError:
        return InvalidValueError(
            f"{self.name or 'tensor'}: {self.values[position]!r} (element {position}) has no place in {datatype}"
        )


def tensor_or_values(source: TensorSource, name: str = "") -> Tensor | Values:
    """Accept tensors, arrays, buffers and nested lists; `name` is for what has none of its own."""
    if isinstance(source, Tensor | Values):
        return attrs.evolve(source, name=name) if name and name != source.name else source
    if hasattr(source, "__array__"):
        return Tensor.from_numpy(source, name=name)
    if isinstance(source, bool | int | float | str | bytes | list | tuple):
        return Values.of(source, name)
    try:
        view = memoryview(source)
    except TypeError:
        raise InvalidValueError(f"{name or 'tensor'}: {_unfit(source)}") from None
    return Tensor.from_buffer(view, name=name)


def nested(flat: Sequence[T], shape: Sequence[int]) -> Any:
    """Return elements nested by shape; without dimensions just the element."""
    if not shape:
        return flat[0]
    for size in reversed(shape[1:]):
        count = len(flat) // size if size else prod(shape[: len(shape) - 1])
        flat = [flat[start * size : (start + 1) * size] for start in range(count)]  # type: ignore[misc]
    return list(flat)


def _unfit(value: Any) -> str:
    return f"expected numbers, texts, bytes, an array or a buffer, got {type(value).__name__}"


def _first_misfit(code: str, values: Sequence[Any]) -> int:
    for position, value in enumerate(values):
        try:
            struct.pack(f"<{code}", value)
        except (struct.error, OverflowError):
            return position
    return 0


def _swapped(data: bytes, size: int) -> bytes:
    """Return the elements with their bytes in the other order."""
    out = bytearray(len(data))
    for at in range(size):
        out[at::size] = data[size - 1 - at :: size]
    return bytes(out)


def _halved(data: bytes) -> bytes:
    """Return the upper halves of 32-bit floats, rounded to the nearest and to even; what is no number stays none."""
    out = bytearray()
    for (bits,) in struct.iter_unpack("<I", data):
        is_nan = bits & 0x7FFFFFFF > 0x7F800000  # noqa: PLR2004 - exponent all ones and a fraction
        upper = (bits >> 16 | 0x40) if is_nan else (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
        out += upper.to_bytes(2, "little")
    return bytes(out)
