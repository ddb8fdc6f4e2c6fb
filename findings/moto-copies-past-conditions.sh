#!/usr/bin/env bash
# moto checks the conditions of an S3 put, but copies past those of a copy
#
# Seen with: moto 5.2.5, boto3 1.44.8.
# Behaviour: put_object answers 412 to an If-None-Match or If-Match that fails, and so does copy_object to a failing
#   CopySourceIfNoneMatch. CopySourceIfMatch with another ETag, for which S3 documents 412, is ignored: status 200, and
#   the destination is overwritten. So are IfNoneMatch and IfMatch on the destination of a copy.
# Consequence: a test on moto of "copy only what I have read" or "never overwrite" passes whatever the code sends, and the
#   one condition that is checked makes the others look checked as well. Test the headers that were sent, or the conflict
#   on another server.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet --disable-pip-version-check 'moto[s3]==5.2.5' boto3==1.44.8
AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none AWS_DEFAULT_REGION=us-east-1 "$python" - <<'PYTHON'
import sys

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

OTHER = '"00000000000000000000000000000000"'


def outcome(call, **arguments: str) -> int:
    try:
        return call(Bucket="bucket", Key="to", **arguments)["ResponseMetadata"]["HTTPStatusCode"]
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]


seen = {}
with mock_aws():
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="bucket")
    etag = s3.put_object(Bucket="bucket", Key="from", Body=b"new")["ETag"]
    puts = {"IfNoneMatch": "*", "IfMatch": OTHER}
    copies = {"CopySourceIfNoneMatch": etag, "CopySourceIfMatch": OTHER, "IfNoneMatch": "*", "IfMatch": OTHER}
    for call, more, conditions in (
        (s3.put_object, {"Body": b"new"}, puts),
        (s3.copy_object, {"CopySource": "bucket/from"}, copies),
    ):
        for name, value in conditions.items():
            s3.put_object(Bucket="bucket", Key="to", Body=b"old")
            status = outcome(call, **more, **{name: value})
            content = s3.get_object(Bucket="bucket", Key="to")["Body"].read().decode()
            seen[f"{call.__name__} {name}"] = (status, content)
            print(f"{call.__name__} with a {name} that fails: {status}, the destination is {content}")
refused = {"put_object IfNoneMatch", "put_object IfMatch", "copy_object CopySourceIfNoneMatch"}
for name, found in seen.items():
    if found != ((412, "old") if name in refused else (200, "new")):
        sys.exit(f"changed: {name} gives {found}")
PYTHON
