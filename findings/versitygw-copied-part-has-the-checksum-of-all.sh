#!/usr/bin/env bash
# versitygw answers UploadPartCopy of a range with the checksum of the whole source
#
# Seen with: versitygw 1.8.0 (posix, --sidecar), boto3 1.44.8.
# Behaviour: a part that is copied from a range of an object is answered with the CRC32 that the whole source was stored
#   with, not with one of the range, though the ETag is the range's MD5; of a source without a stored checksum it is
#   right. The object made of such parts has a composite checksum that no content has. A source that was itself stored
#   in parts has the checksum of its parts, with their number behind it, and completing the copy with what was answered
#   is refused: 400 InvalidArgument. S3 documents the checksum of the part.
# Consequence: a large copy that begins with ChecksumAlgorithm and sends back what it was answered for each part, as the
#   SDKs' own transfers do, fails or is stored with a wrong checksum. Leave ChecksumAlgorithm out of copies in parts, and
#   do not verify their composite checksums.
#
# VERSITYGW names a program that is built already; otherwise Go builds one, which takes minutes.
set -euo pipefail
folder="$(mktemp -d)"
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
if [[ -z "${VERSITYGW:-}" ]]; then
    GOBIN="$folder" go install github.com/versity/versitygw/cmd/versitygw@v1.8.0
    VERSITYGW="$folder/versitygw"
fi
"${PYTHON:-python3}" -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet --disable-pip-version-check boto3==1.44.8
mkdir "$folder/data" "$folder/meta"
VERSITYGW="$VERSITYGW" FOLDER="$folder" "$python" - <<'PYTHON'
import base64
import os
import socket
import subprocess
import sys
import time
import zlib

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

MIB = 1024 * 1024
SOURCE = b"x" * 6 * MIB


def crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


with socket.socket() as held:
    held.bind(("127.0.0.1", 0))
    address = "127.0.0.1:%d" % held.getsockname()[1]
folder, keys = os.environ["FOLDER"], ("id-of-the-finding", "secret-of-the-finding")
flags = ["--port", address, "--access", keys[0], "--secret", keys[1], "--quiet"]
server = subprocess.Popen(
    [os.environ["VERSITYGW"], *flags, "posix", "--sidecar", f"{folder}/meta", f"{folder}/data"], stdout=subprocess.DEVNULL
)
try:
    for _attempt in range(300):
        try:
            socket.create_connection(tuple(address.split(":")), 1).close()
            break
        except OSError:
            time.sleep(0.1)
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://{address}",
        region_name="us-east-1",
        aws_access_key_id=keys[0],
        aws_secret_access_key=keys[1],
        config=Config(s3={"addressing_style": "path"}, signature_version="s3v4"),
    )
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="whole", Body=SOURCE, ChecksumAlgorithm="CRC32")

    def copied(source: str) -> tuple[str, str]:
        about = {"Bucket": "bucket", "Key": "copy"}
        about["UploadId"] = s3.create_multipart_upload(**about, ChecksumAlgorithm="CRC32")["UploadId"]
        part = s3.upload_part_copy(
            **about, PartNumber=1, CopySource=f"bucket/{source}", CopySourceRange=f"bytes=0-{5 * MIB - 1}"
        )["CopyPartResult"]
        told = {"PartNumber": 1, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]}
        try:
            s3.complete_multipart_upload(**about, MultipartUpload={"Parts": [told]})
        except ClientError as error:
            return part["ChecksumCRC32"], error.response["Error"]["Code"]
        return part["ChecksumCRC32"], "completed"

    begun = {"Bucket": "bucket", "Key": "parted"}
    begun["UploadId"] = s3.create_multipart_upload(**begun, ChecksumAlgorithm="CRC32")["UploadId"]
    parts = [
        s3.upload_part(**begun, PartNumber=number, Body=SOURCE[:size], ChecksumAlgorithm="CRC32")
        for number, size in ((1, 5 * MIB), (2, MIB))
    ]
    s3.complete_multipart_upload(
        **begun,
        MultipartUpload={
            "Parts": [
                {"PartNumber": number, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]}
                for number, part in enumerate(parts, 1)
            ]
        },
    )
    whole, parted = copied("whole"), copied("parted")
finally:
    server.terminate()
    server.wait()
print(f"CRC32 of the range: {crc32(SOURCE[: 5 * MIB])}, of the whole source: {crc32(SOURCE)}")
print(f"part copied from an object stored at once: {whole[0]}, {whole[1]}")
print(f"part copied from an object stored in parts: {parted[0]}, {parted[1]}")
if whole != (crc32(SOURCE), "completed") or not parted[0].endswith("-2") or parted[1] != "InvalidArgument":
    sys.exit("changed: the checksums of copied parts are others")
PYTHON
