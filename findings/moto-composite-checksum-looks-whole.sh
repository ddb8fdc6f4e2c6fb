#!/usr/bin/env bash
# moto tells the checksum of an object in parts as if it were one of the whole
#
# Seen with: moto 5.2.5, boto3 1.44.8.
# Behaviour: HEAD of an object that was stored in parts with CRC32 has an x-amz-checksum-crc32 which is neither the CRC32
#   of the content nor marked as one of the parts' checksums: S3 writes "-N", their number, behind such a value, and sends
#   x-amz-checksum-type: COMPOSITE. moto sends the value alone. The ETag has its "-N".
# Consequence: code that verifies a download by the checksum of HEAD takes an intact object for a spoilt one, on moto
#   alone. Take a checksum for one of the whole only if the type is FULL_OBJECT, or the ETag has no "-".
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet --disable-pip-version-check 'moto[s3]==5.2.5' boto3==1.44.8
AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none AWS_DEFAULT_REGION=us-east-1 "$python" - <<'PYTHON'
import base64
import sys
import zlib

import boto3
from moto import mock_aws

PARTS = (b"a" * 5 * 1024 * 1024, b"b")


def crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


with mock_aws():
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="bucket")
    about = {"Bucket": "bucket", "Key": "k"}
    upload = s3.create_multipart_upload(**about, ChecksumAlgorithm="CRC32")["UploadId"]
    done = []
    for number, part in enumerate(PARTS, 1):
        sent = s3.upload_part(**about, UploadId=upload, PartNumber=number, Body=part, ChecksumAlgorithm="CRC32")
        done.append({"PartNumber": number, "ETag": sent["ETag"], "ChecksumCRC32": sent["ChecksumCRC32"]})
    s3.complete_multipart_upload(**about, UploadId=upload, MultipartUpload={"Parts": done})
    told = s3.head_object(**about, ChecksumMode="ENABLED")
whole = crc32(b"".join(PARTS))
print(f"CRC32 of the content: {whole}")
print(f"HEAD: checksum {told.get('ChecksumCRC32')}, type {told.get('ChecksumType')}, ETag {told['ETag']}")
found = told.get("ChecksumCRC32", "")
if not found or "-" in found or found == whole or told.get("ChecksumType") == "COMPOSITE" or "-2" not in told["ETag"]:
    sys.exit("changed: the checksum of parts is told otherwise")
PYTHON
