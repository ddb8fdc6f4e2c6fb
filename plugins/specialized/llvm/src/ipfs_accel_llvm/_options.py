"""Settings of an llvm endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import attrs

__all__ = ["Options", "ServerKind", "ServerOptions"]

ServerKind: TypeAlias = Literal["auto", "llama.cpp", "vllm", "mlc", "llama-cpp-python", "infer", "shortfin", "other"]


@attrs.frozen(kw_only=True)
class ServerOptions:
    """Settings of an endpoint that is a server.

    Attributes:
        server: Which server answers; auto asks it.
        content: For servers with /models/{id}/infer: where in their answers the content is, as names and positions
            with dots between them, such as output or results.0.text; None means that the whole answer is it.
        chats: For the same: whether their models take messages.
        runs_code: For the same: whether the calls that run code on the server are allowed.
        serves: For shortfin, which does not tell: the name of its model.
    """

    server: ServerKind = "auto"
    content: str | None = None
    chats: bool = False
    runs_code: bool = False
    serves: str | None = None


@attrs.frozen(kw_only=True)
class Options(ServerOptions):
    """Settings of an endpoint of `llvm`: the same, and those for models that run in this process.

    Attributes:
        models: Name to the path of a GGUF file.
        models_dir: Folder of GGUF files that can be called by name; None means the user's data folder.
        context: Tokens of a conversation; None means what the model was trained with, at most 8192.
        parallel: How many calls a model serves at once.
        threads: CPU threads; None lets llama.cpp choose.
        gpu_layers: Layers to put on a GPU, where xllamacpp was built for one.
        pooling: How the vectors of tokens become one: mean, cls, last or rank.
    """

    models: Mapping[str, str] = attrs.field(factory=dict)
    models_dir: str | None = None
    context: int | None = attrs.field(default=None, validator=attrs.validators.optional(attrs.validators.ge(1)))
    parallel: int = attrs.field(default=2, validator=attrs.validators.ge(1))
    threads: int | None = attrs.field(default=None, validator=attrs.validators.optional(attrs.validators.ge(1)))
    gpu_layers: int | None = None
    pooling: Literal["mean", "cls", "last", "rank"] = "mean"
