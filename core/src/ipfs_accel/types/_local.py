"""Models that a server keeps on its own disk: what is asked of them, and what is known of those that are loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from ipfs_accel._values import frozen

from ._answers import Answer
from ._files import Upload
from ._messages import Message
from ._options import CallOptions
from ._requests import Messages, Request

if TYPE_CHECKING:
    from ._files import UploadSource


class CreateModelOptions(CallOptions, total=False):
    """Options of `create_model`; `CreateModelRequest` says what each means."""

    base: str
    files: UploadSource | Sequence[UploadSource]
    adapters: UploadSource | Sequence[UploadSource]
    template: str
    system: str
    messages: Messages
    parameters: Mapping[str, Any]
    license: str | Sequence[str]
    quantize: str


@frozen(kw_only=True)
class CreateModelRequest(Request):
    """A model to make from another one, from files, or from both; `model` is the new one's name.

    Attributes:
        base: The model to begin with; None where `files` are the beginning.
        files: Weights, such as GGUF or safetensors files.
        adapters: LoRA adapters to put on top.
        template: Prompt template, in the server's language.
        system: System prompt of every chat.
        messages: Turns with which every chat begins.
        parameters: Defaults of sampling and loading, by the server's names.
        license: Texts to keep with the model.
        quantize: What to quantize the weights to, in the server's words, such as q4_K_M.
    """

    base: str | None = None
    files: tuple[Upload, ...] = ()
    adapters: tuple[Upload, ...] = ()
    template: str | None = None
    system: str | None = None
    messages: tuple[Message, ...] = ()
    parameters: Mapping[str, Any] = attrs.field(factory=dict)
    license: tuple[str, ...] = ()
    quantize: str | None = None


@frozen(kw_only=True)
class ModelResult(Answer):
    """The end of a task that changed what models a server keeps; how it went came as `Progress` events.

    Attributes:
        model: Its id.
        status: The server's last word, such as success.
    """

    model: str
    status: str


@frozen(kw_only=True)
class RunningModel:
    """A model that is loaded now; None where the server does not tell.

    Attributes:
        id: As the endpoint knows it.
        size: Bytes of memory that it takes, of all kinds together.
        gpu_size: Those of them that are on GPUs.
        context_window: Tokens of prompt and answer together as it is loaded; often fewer than the model could.
        expires: When it is unloaded unless it is used again, in seconds since 1970.
        raw: The server's own JSON.
    """

    id: str
    size: int | None = None
    gpu_size: int | None = None
    context_window: int | None = None
    expires: float | None = None
    raw: Any = attrs.field(default=None, eq=False, repr=False)
