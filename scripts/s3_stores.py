"""Ask each store that can be run here what it keeps of S3's protocol, and write docs/explanation/stores.md, a table.

    python scripts/s3_stores.py [--install] [STORE …]

It asks with boto3 alone, over loopback, with valid requests; what a cell says has been seen in this run. The column of
AWS is what its documentation says, not what was asked. A store that cannot be had is named below the table, with the
reason.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config as BotoConfig
from botocore.exceptions import BotoCoreError, ClientError
from ipfs_accel import Client, Config, EndpointConfig

HERE = Path(__file__).parent.parent
sys.path[:0] = [str(HERE), str(HERE / "plugins" / "specialized" / "s3" / "tests")]

from stores import STORES, Missing, Running  # noqa: E402 - the path is set above

PAGE = HERE / "docs" / "explanation" / "stores.md"
MIB = 1024 * 1024
OTHER = '"00000000000000000000000000000000"'


class Asked:
    """A store that is asked, with a bucket of its own."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.bucket = f"b-{uuid4().hex[:10]}"
        self._make = lambda **config: boto3.client(
            "s3",
            endpoint_url=running.url,
            region_name="us-east-1",
            aws_access_key_id=running.key.partition(":")[0],
            aws_secret_access_key=running.key.partition(":")[2],
            config=BotoConfig(
                signature_version="s3v4",
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
                response_checksum_validation="when_required",
                **{"request_checksum_calculation": "when_required", **config},
            ),
        )
        self.client = self._make()
        self.client.create_bucket(Bucket=self.bucket)

    def of(self, key: str) -> dict[str, str]:
        """Return where an object is."""
        return {"Bucket": self.bucket, "Key": key}

    def put(self, key: str, data: bytes = b"data", **more: Any) -> dict[str, Any]:
        """Store one."""
        answer: dict[str, Any] = self.client.put_object(**self.of(key), Body=data, **more)
        return answer

    def get(self, key: str, **more: Any) -> bytes:
        """Read one."""
        data: bytes = self.client.get_object(**self.of(key), **more)["Body"].read()
        return data

    def parts(self, key: str, *parts: bytes, **more: Any) -> dict[str, Any]:
        """Store one in parts."""
        begun = self.client.create_multipart_upload(**self.of(key))
        about = {**self.of(key), "UploadId": begun["UploadId"]}
        done = [
            {"PartNumber": number, "ETag": self.client.upload_part(**about, PartNumber=number, Body=part)["ETag"]}
            for number, part in enumerate(parts, 1)
        ]
        answer: dict[str, Any] = self.client.complete_multipart_upload(**about, MultipartUpload={"Parts": done}, **more)
        return answer


def status(call: Callable[[], Any]) -> str:
    """Say how a call ended: ok, or the status and the code."""
    try:
        call()
    except ClientError as error:
        about = error.response
        code = about["Error"].get("Code", "")
        number = about["ResponseMetadata"]["HTTPStatusCode"]
        return f"{number}" if str(number) == code else f"{number} {code}".strip()
    except BotoCoreError as error:
        return type(error).__name__
    return "ok"


def _wrong_crc32(s: Asked) -> str:
    said = status(lambda: s.put("sum", ChecksumCRC32="AAAAAA=="))
    return "stored" if said == "ok" else f"refused ({said})"


def _wrong_md5(s: Asked) -> str:
    said = status(lambda: s.put("md5", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA=="))
    return "stored" if said == "ok" else f"refused ({said})"


def _wrong_crc32_of_a_part(s: Asked) -> str:
    upload = s.client.create_multipart_upload(**s.of("part"))["UploadId"]
    part = {**s.of("part"), "UploadId": upload, "PartNumber": 1, "Body": b"data"}
    said = status(lambda: s.client.upload_part(**part, ChecksumCRC32="AAAAAA=="))
    return "stored" if said == "ok" else f"refused ({said})"


def _create_only(s: Asked) -> str:
    s.put("once", b"first")
    said = status(lambda: s.put("once", b"second", IfNoneMatch="*"))
    return _kept(s, "once", b"first", said)


def _kept(s: Asked, key: str, first: bytes, said: str) -> str:
    now = s.get(key)
    if said == "ok":
        return "ignored: overwrites"
    return f"refused ({said})" if now == first else f"{said}, and the object is spoilt"


def _create_by_six(s: Asked) -> str:
    won: list[int] = []
    counts = []
    for attempt in range(10):
        won.clear()
        start = threading.Barrier(6)

        def write(number: int, attempt: int = attempt, start: threading.Barrier = start) -> None:
            start.wait(60)
            if status(lambda: s.put(f"race-{attempt}", b"%d" % number, IfNoneMatch="*")) == "ok":
                won.append(number)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        counts.append(len(won))
    least, most = min(counts), max(counts)
    return str(most) if least == most else f"{least} to {most}"


def _create_only_in_parts(s: Asked) -> str:
    s.put("whole", b"first")
    said = status(lambda: s.parts("whole", b"second", IfNoneMatch="*"))
    try:
        return _kept(s, "whole", b"first", said)
    except ClientError:
        return f"{said}, and the object is gone"


def _abort_keeps(s: Asked) -> str:
    s.put("aborted", b"first")
    begun = s.client.create_multipart_upload(**s.of("aborted"))
    said = status(lambda: s.client.abort_multipart_upload(**s.of("aborted"), UploadId=begun["UploadId"]))
    is_there = status(lambda: s.get("aborted")) == "ok"
    return ("kept" if said == "ok" else f"kept ({said})") if is_there else "the object is gone"


def _replace_only(s: Asked) -> str:
    s.put("match", b"first")
    said = status(lambda: s.put("match", b"second", IfMatch=OTHER))
    return _kept(s, "match", b"first", said)


def _delete_only(s: Asked) -> str:
    s.put("delete", b"first")
    said = status(lambda: s.client.delete_object(**s.of("delete"), IfMatch=OTHER))
    is_there = status(lambda: s.get("delete")) == "ok"
    return f"refused ({said})" if is_there and said != "ok" else "kept" if is_there else "ignored: deletes"


def _copy_only(s: Asked) -> str:
    s.put("source", b"second")
    s.put("target", b"first")
    copy = {**s.of("target"), "CopySource": s.of("source")}
    said = status(lambda: s.client.copy_object(**copy, IfNoneMatch="*"))
    try:
        return _kept(s, "target", b"first", said)
    except Exception as error:  # noqa: BLE001 - whatever reading a spoilt object raises
        return f"{said}, and the object is spoilt ({type(error).__name__})"


def _copy_if_source(s: Asked) -> str:
    s.put("source", b"second")
    copy = {**s.of("target-2"), "CopySource": s.of("source")}
    said = status(lambda: s.client.copy_object(**copy, CopySourceIfMatch=OTHER))
    return "ignored: copies" if said == "ok" else f"refused ({said})"


def _read_if_match(s: Asked) -> str:
    s.put("read", b"0123456789")
    said = status(lambda: s.get("read", IfMatch=OTHER))
    return "ignored" if said == "ok" else f"refused ({said})"


def _range_of(s: Asked) -> str:
    s.put("range", b"0123456789")
    answer = s.client.get_object(**s.of("range"), Range="bytes=2-4")
    data = answer["Body"].read()
    return "right" if (data, answer.get("ContentRange")) == (b"234", "bytes 2-4/10") else f"{len(data)} bytes"


def _range_past_the_beginning(s: Asked) -> str:
    s.put("range", b"0123456789")
    said = status(lambda: s.get("range", Range="bytes=-100"))
    return "all of it" if said == "ok" and s.get("range", Range="bytes=-100") == b"0123456789" else said


def _range_of_an_empty_object(s: Asked) -> str:
    s.put("empty", b"")
    return status(lambda: s.get("empty", Range="bytes=0-4"))


def _one_part(s: Asked) -> str:
    s.parts("parted", b"a" * 5 * MIB, b"b")
    said = status(lambda: s.get("parted", PartNumber=2))
    if said != "ok":
        return said
    return "the part" if s.get("parted", PartNumber=2) == b"b" else "all of it"


def _etag_is_md5(s: Asked) -> str:
    found = s.put("etag", b"content")["ETag"].strip('"')
    return "the MD5" if found == hashlib.md5(b"content", usedforsecurity=False).hexdigest() else "another"


def _etag_of_parts(s: Asked) -> str:
    found = s.parts("parted", b"a" * 5 * MIB, b"b")["ETag"].strip('"')
    return "ends in -2" if found.endswith("-2") else "no number of parts"


def _metadata_of_before(s: Asked) -> str:
    s.put("metadata", b"first", Metadata={"a": "b"})
    s.put("metadata", b"second")
    return "gone" if not s.client.head_object(**s.of("metadata")).get("Metadata") else "still there"


def _slashes(s: Asked) -> str:
    s.put("twice/b", b"one")
    said = status(lambda: s.put("twice//b", b"two"))
    if said != "ok":
        return f"refused ({said})"
    return "two objects" if s.get("twice/b") == b"one" else "one object: overwritten"


def _dots(s: Asked) -> str:
    s.put("y", b"one")
    said = status(lambda: s.put("x/../y", b"two"))
    if said != "ok":
        return f"refused ({said})"
    return "two objects" if s.get("y") == b"one" else "one object: overwritten"


def _folder_with_content(s: Asked) -> str:
    said = status(lambda: s.put("folder/", b"content"))
    if said != "ok":
        return f"refused ({said})"
    read = status(lambda: s.get("folder/"))
    if read != "ok":
        return f"stored, and read: {read}"
    return "kept" if s.get("folder/") == b"content" else "content dropped"


def _file_and_folder(s: Asked) -> str:
    s.put("f", b"one")
    said = status(lambda: s.put("f/x", b"two"))
    if said != "ok":
        return f"refused ({said})"
    listed = [each["Key"] for each in s.client.list_objects_v2(Bucket=s.bucket, Prefix="f").get("Contents", ())]
    return "both" if {"f", "f/x"} <= set(listed) else "both, one in no list"


def _lists_to_the_end(s: Asked) -> str:
    keys = ["p/a", "p/b", "p/c", "p/ä", "p/ö", "p/ü", "p/日本"]
    for key in keys:
        s.put(key)
    said = status(lambda: s.client.list_objects_v2(Bucket=s.bucket, Prefix="p/", MaxKeys=3))
    if said != "ok":
        return said
    pages = s.client.get_paginator("list_objects_v2").paginate(
        Bucket=s.bucket, Prefix="p/", PaginationConfig={"PageSize": 3}
    )
    found = [each["Key"] for page in pages for each in page.get("Contents", ())]
    return "all, in order" if found == sorted(keys) else f"{len(found)} of {len(keys)}"


def _delete_twice(s: Asked) -> str:
    s.put("gone")
    answer = s.client.delete_objects(Bucket=s.bucket, Delete={"Objects": [{"Key": "gone"}, {"Key": "gone"}]})
    keys = [each.get("Key") for each in answer.get("Deleted", ())]
    return (
        "two answers"
        if keys == ["gone", "gone"]
        else f"{keys.count('gone')} of 2" + (", one without a key" if None in keys else "")
    )


def _unknown_key(s: Asked) -> str:
    stranger = boto3.client(
        "s3",
        endpoint_url=s.running.url,
        region_name="us-east-1",
        aws_access_key_id="AKIANOBODY",
        aws_secret_access_key="x" * 30,
        config=BotoConfig(signature_version="s3v4", retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )
    s.put("there")
    return status(lambda: stranger.head_object(**s.of("there")))


Ask = Callable[[Asked], str]
# What is asked, how, and what AWS documents: the API reference of the operation that is named, and the user guide's
# pages on conditional requests, on object keys, on checking integrity and on retrieving parts.
ROWS: tuple[tuple[str, Ask, str], ...] = (
    ("PutObject, wrong CRC32", _wrong_crc32, "refused (400 BadDigest)"),
    ("PutObject, wrong Content-MD5", _wrong_md5, "refused (400 BadDigest)"),
    ("UploadPart, wrong CRC32", _wrong_crc32_of_a_part, "refused (400 BadDigest)"),
    ("PutObject, If-None-Match: *, the object is there", _create_only, "refused (412)"),
    ("the same by six at once: how many succeed", _create_by_six, "1"),
    ("CompleteMultipartUpload, If-None-Match: *", _create_only_in_parts, "refused (412)"),
    ("AbortMultipartUpload, an object of that key is there", _abort_keeps, "kept"),
    ("PutObject, If-Match with another ETag", _replace_only, "refused (412)"),
    ("DeleteObject, If-Match with another ETag", _delete_only, "refused (412)"),
    ("CopyObject, If-None-Match: *, the object is there", _copy_only, "refused (412)"),
    ("CopyObject, x-amz-copy-source-if-match with another ETag", _copy_if_source, "refused (412)"),
    ("GetObject, If-Match with another ETag", _read_if_match, "refused (412)"),
    ("GetObject, bytes=2-4 of ten", _range_of, "right"),
    ("GetObject, bytes=-100 of ten", _range_past_the_beginning, "all of it (RFC 9110)"),
    ("GetObject, bytes=0-4 of an empty object", _range_of_an_empty_object, "416 InvalidRange"),
    ("GetObject, partNumber=2 of two", _one_part, "the part"),
    ("ETag after PutObject", _etag_is_md5, "the MD5, but for KMS, customer keys, directory buckets"),
    ("ETag of an object in two parts", _etag_of_parts, "ends in -2"),
    ("metadata of an object that is overwritten without", _metadata_of_before, "gone"),
    ("the keys twice/b and twice//b", _slashes, "two objects"),
    ("the keys y and x/../y", _dots, "two objects"),
    ("the key folder/ with content", _folder_with_content, "kept"),
    ("the keys f and f/x", _file_and_folder, "both"),
    ("ListObjectsV2, pages of three, keys beyond ASCII", _lists_to_the_end, "all, in order"),
    ("DeleteObjects, one key twice", _delete_twice, "not documented"),
    ("HeadObject with an unknown key id", _unknown_key, "403"),
)


def found_out(running: Running) -> dict[str, str]:
    """Return what ipfs-accel finds out about a store by itself."""
    place = EndpointConfig(backend="s3", base_url=running.url, key=running.key)
    with Client(Config(environ={}), endpoints={"s": place}) as client:
        bucket = f"b-{uuid4().hex[:10]}"
        client.call("s", "create_bucket", bucket=bucket)
        found: dict[str, Any] = client.call("s", "find_out", bucket=bucket)
    honoured = [kind for kind, is_so in found["conditions"].items() if is_so]
    return {
        "ipfs-accel finds: checksums": found["checksums"],
        "ipfs-accel finds: conditions that hold": ", ".join(honoured) or "none",
    }


def asked(running: Running) -> dict[str, str]:
    """Ask a store all of it; what cannot be asked says why."""
    store = Asked(running)
    cells = {}
    for name, ask, _documented in ROWS:
        try:
            cells[name] = ask(store)
        except Exception as error:  # noqa: BLE001 - the cell says it
            told = getattr(error, "response", {}).get("Error", {}).get("Code", "")
            cells[name] = f"{type(error).__name__} {told}".strip()
        print(f"  {name}: {cells[name]}", flush=True)
    return cells | found_out(running)


PAGE_TEXT = """# What stores keep of S3's protocol, and what they do not

Made by `scripts/s3_stores.py` on {date}, which runs each of these stores and asks it with boto3, over plain HTTP. The
column of AWS is what its documentation says; it was not asked. What differs from it is what a program that was tried on
one store meets on another; the `s3` backend compares every answer with what was asked, so that it is told of.

{table}

Conditions that hold are those that the store refuses a write for, and then leaves the object as it was. Where several
writers at once can succeed, they are no locks. MinIO and Garage are not here for their licence, SeaweedFS and Ceph for
what it takes to build or run them.
{missing}"""


def page(columns: dict[str, dict[str, str]], missing: dict[str, str]) -> str:
    """Return the page."""
    documented = {name: said for name, _ask, said in ROWS}
    rows = list(dict.fromkeys([*documented, *[row for cells in columns.values() for row in cells]]))
    lines = [["", "AWS, as documented", *columns], ["---"] * (len(columns) + 2)]
    lines += [[row, documented.get(row, ""), *[cells.get(row, "") for cells in columns.values()]] for row in rows]
    table = "\n".join([f"| {' | '.join(line)} |" for line in lines])
    told = "; ".join([f"{name} ({why})" for name, why in missing.items()])
    return PAGE_TEXT.format(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        table=table,
        missing=f"\nNot asked, since they could not be run: {told}.\n" if missing else "",
    )


def main() -> None:
    """Run all stores or those that are named, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stores", nargs="*", choices=[*STORES, []], default=[])
    parser.add_argument("--install", action="store_true", help="install what is not in .cache")
    given = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    columns, missing = {}, {}
    for name in given.stores or STORES:
        print(name, flush=True)
        try:
            with STORES[name](given.install) as running:
                columns[f"{name} {running.version}"] = asked(running)
        except Missing as reason:
            missing[name] = str(reason)
            print(f"  {reason}", flush=True)
    PAGE.write_text(page(columns, missing))


if __name__ == "__main__":
    main()
