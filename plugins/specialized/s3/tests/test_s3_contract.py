"""The contract that every backend keeps, as far as it is about what a backend says of itself."""

from __future__ import annotations

from typing import ClassVar

from ipfs_accel.testing import BackendContract
from ipfs_accel_s3 import backend

REASON = "a blocking function around its vendor's SDK, shown against real stores"


class TestS3(BackendContract):
    plugin = backend
    exchanges = ()
    local: ClassVar = dict.fromkeys(
        (
            "list_models",
            "show_model",
            "healthcheck",
            "put_object",
            "get_object",
            "download_object",
            "head_object",
            "list_objects",
            "copy_object",
            "delete_object",
            "delete_objects",
            "presign_object",
        ),
        REASON,
    )
