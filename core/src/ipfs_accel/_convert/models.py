"""As `texts`, for the models that a server keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import CreateModelRequest, Request

from .files import upload
from .messages import checked_messages
from .texts import check, checked, strings

if TYPE_CHECKING:
    from ipfs_accel.types import Upload

__all__ = ["create_model_request", "model_request", "named"]

_TEXTS = ("base", "template", "system", "quantize")


def named(model: Any, name: str = "model") -> str:
    """Return a model's id, which has to be one."""
    check(name, model, (str,))
    if not model.strip():
        raise InvalidRequestError(f"{name}: none is named", hint="models are named endpoint/model")
    return model  # type: ignore[no-any-return]


def model_request(model: str, _value: Any, options: dict[str, Any]) -> Request:
    """Make the request of what is done with a model as a whole."""
    return Request(model=named(model), **checked(Request, options))


def create_model_request(model: str, _value: Any, options: dict[str, Any]) -> CreateModelRequest:
    """Make the request of `create_model`."""
    messages = options.pop("messages", None)
    values = checked(CreateModelRequest, options)
    for name in _TEXTS:
        if name in values:
            check(name, values[name], (str,))
    for name in ("files", "adapters"):
        if name in values:
            values[name] = _uploads(values[name], name)
    if "license" in values:
        values["license"] = strings(values["license"], "license")
    if messages is not None:
        values["messages"] = checked_messages(messages)
    check("parameters", values.get("parameters", {}), (Mapping,))
    if not values.get("base") and not values.get("files"):
        raise InvalidRequestError("create_model: there is nothing to begin with", hint="give base=, files=, or both")
    return CreateModelRequest(model=named(model), **values)


def _uploads(value: Any, name: str) -> tuple[Upload, ...]:
    several = value if isinstance(value, Iterable) and not isinstance(value, str | bytes) else (value,)
    found = tuple([upload(each, f"{name}[{index}]") for index, each in enumerate(several)])
    names = [each.name for each in found]
    for each in names:
        if names.count(each) > 1:
            raise InvalidRequestError(f"{name}: two of them are named {each!r}", hint="give them names: Upload.of(…)")
    return found
