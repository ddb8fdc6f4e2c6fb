"""Settings of an ovms endpoint."""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

__all__ = ["Check", "Dialect", "Options"]

Dialect: TypeAlias = Literal["auto", "kserve", "tfserving"]
Check: TypeAlias = Literal["all", "types", "none"]


@attrs.frozen(kw_only=True)
class Options:
    """Settings of an ovms endpoint; all but the last are for `predict`.

    Attributes:
        dialect: How to send tensors: kserve (KServe v2), tfserving (TensorFlow Serving's REST); auto asks the server.
        version: Of the models, where a call does not name one; empty or latest leaves it to the server.
        binary: Whether tensors travel as bytes (KServe's binary extension) rather than as JSON; auto does so with
            servers that are known to understand it.
        check: What is held to the model's metadata before anything is sent: all; types (names and datatypes, for
            servers that reshape their models or whose inputs are optional); or none.
        rows: Whether TensorFlow Serving gets one object per row instead of one column per input.
        openai_path: Where the server has OpenAI's dialect.
    """

    dialect: Dialect = "auto"
    version: str = ""
    binary: Literal["auto", "always", "never"] = "auto"
    check: Check = "all"
    rows: bool = False
    openai_path: str = "/v3"
