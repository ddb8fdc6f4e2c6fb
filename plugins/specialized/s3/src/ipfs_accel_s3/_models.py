"""Model artifacts in a bucket as models, and whether the store can serve."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ipfs_accel.errors import AuthenticationError, ConfigError, ModelNotFoundError, PermissionDeniedError
from ipfs_accel.plans import Endpoint, Job, Local, Plan
from ipfs_accel.types import Health, ModelInfo, ObjectInfo

from ._answers import note_request, object_info, parameters
from ._clients import connect
from ._errors import translated
from ._options import options_of
from ._pages import object_pages

__all__ = ["healthcheck", "list_models", "show_model"]

# One file is one model, unless it is one of several that its name numbers.
_FILES = (".gguf", ".ggml", ".llamafile", ".onnx", ".tflite", ".engine", ".plan", ".mar")
# These come as folders, with configuration and tokenizer beside them.
_FOLDERS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".keras", ".msgpack", ".pb", ".xml")
_NUMBERED = re.compile(r"-\d{5}-of-\d{5}(?=\.\w+$)")


def list_models(endpoint: Endpoint) -> Plan[tuple[ModelInfo, ...]]:
    """Plan a look at what is below the option `models`."""
    bucket, prefix = _place(endpoint)
    return Local(run=lambda job: _grouped(_objects(endpoint, bucket, prefix, job)))


def show_model(endpoint: Endpoint, model: str) -> Plan[ModelInfo]:
    """Plan a look at one of them; its id is `bucket/key`, or `bucket/folder`."""
    bucket, _slash, prefix = model.partition("/")

    def run(job: Job) -> ModelInfo:
        for found in _grouped(_objects(endpoint, bucket, prefix, job)):
            if found.id == model:
                return found
        raise ModelNotFoundError(f"there are no weights at {model!r}", status=404, hint="ids are bucket/key")

    return Local(run=run)


def _place(endpoint: Endpoint) -> tuple[str, str]:
    said = options_of(endpoint).models
    if not said:
        raise ConfigError(
            f"endpoint {endpoint.name!r} does not say where its models are",
            endpoint=endpoint.name,
            hint='set the option models = "bucket/prefix"',
        )
    bucket, _slash, prefix = said.partition("/")
    return bucket, prefix


def _objects(endpoint: Endpoint, bucket: str, prefix: str, job: Job) -> Iterable[ObjectInfo]:
    with translated():
        for answer in object_pages(connect(endpoint, job), parameters(Bucket=bucket, Prefix=prefix)):
            job.check()
            note_request(job, answer)
            yield from [object_info(bucket, each["Key"], each) for each in answer.get("Contents", ())]


def _grouped(objects: Iterable[ObjectInfo]) -> tuple[ModelInfo, ...]:
    groups: dict[str, list[ObjectInfo]] = {}
    for found in objects:
        name = _model_of(found)
        if name is not None:
            groups.setdefault(name, []).append(found)
    return tuple([_model(name, files) for name, files in sorted(groups.items())])


def _model_of(found: ObjectInfo) -> str | None:
    """Return the id of the model that a file belongs to, if it is one with weights."""
    address = f"{found.bucket}/{found.key}"
    lower = found.key.lower()
    if lower.endswith(_FILES):
        return _NUMBERED.sub("", address)
    return address.rpartition("/")[0] if lower.endswith(_FOLDERS) else None


def _model(name: str, files: list[ObjectInfo]) -> ModelInfo:
    """Tell of a model; `raw` has its weight files with sizes and ETags."""
    raw = [{"key": file.key, "size": file.size, "etag": file.etag} for file in files]
    newest = max(file.modified or 0.0 for file in files)
    total = sum(file.size or 0 for file in files)
    suffix = files[0].key.rpartition(".")[2]
    description = f"{suffix}, {len(files)} file(s), {total} bytes"
    return ModelInfo(id=name, description=description, created=int(newest) or None, raw={"files": raw, "size": total})


def healthcheck(endpoint: Endpoint) -> Plan[Health]:
    """Plan a HeadBucket of the configured bucket.

    Without one, the list of buckets is asked for: credentials that are good for single buckets only may not have it,
    which is no illness.
    """
    options = options_of(endpoint)
    bucket = options.bucket or (options.models or "").partition("/")[0]

    def run(job: Job) -> Health:
        with translated():
            client = connect(endpoint, job)
            answer = _bucket(client, bucket) if bucket else _buckets(client)
        server = _server(answer)
        if bucket:
            return Health(status="ok", server=server, detail=f"bucket {bucket}")
        detail = "no bucket is configured; the store answers" if answer else "it answers, but lists no buckets"
        return Health(status="ok", server=server, detail=detail)

    return Local(run=run)


def _bucket(client: Any, bucket: str) -> dict[str, Any]:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - who has a client has loaded it

    try:
        return client.head_bucket(Bucket=bucket)  # type: ignore[no-any-return]
    except ClientError:
        # An answer to HEAD does not say why, and a store may not know the key id rather than the bucket.
        client.list_objects_v2(Bucket=bucket, MaxKeys=1)
        raise


def _buckets(client: Any) -> dict[str, Any]:
    try:
        with translated():
            return client.list_buckets()  # type: ignore[no-any-return]
    except AuthenticationError:
        raise
    except PermissionDeniedError as error:
        if error.code != "AccessDenied":
            raise
        return {}


def _server(answer: dict[str, Any]) -> str | None:
    server: str | None = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("server")
    return server
