"""Credentials, addresses, checksum forms and what is imported: how boto3 is set up, and what goes over the wire."""

from __future__ import annotations

import logging
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ipfs_accel import Client, Config, EndpointConfig
from ipfs_accel import errors as e
from ipfs_accel._config.keys import KeyFile
from ipfs_accel._secret import Secret
from pytest_httpserver import HTTPServer

from .conftest import ID, SECRET, TLSFiles, gateway

KEY = f"{ID}:{SECRET}"


@pytest.fixture
def signed_by(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Tell with which key id a request of an endpoint is signed; None if with none."""
    httpserver.expect_request("/bucket/k").respond_with_data()
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")

    def ask(endpoint: EndpointConfig | None = None, name: str = "s3", **environ: str) -> str | None:
        url = httpserver.url_for("").rstrip("/")
        for variable, value in environ.items():
            monkeypatch.setenv(variable, value)
        config = Config(environ={"S3_ENDPOINT": url, **environ})
        with Client(config, endpoints={} if endpoint is None else {name: endpoint}) as client:
            client.head_object(f"{name}/bucket/k")
        authorization = httpserver.log[-1][0].headers.get("Authorization")
        return authorization.partition("Credential=")[2].partition("/")[0] if authorization else None

    return ask


def test_credentials_come_from_where_they_are_said(signed_by: Any, httpserver: HTTPServer) -> None:
    url = httpserver.url_for("").rstrip("/")
    amazon = {"AWS_ACCESS_KEY_ID": "AKIAAMAZON", "AWS_SECRET_ACCESS_KEY": "amazon-secret"}
    assert signed_by(**amazon) == "AKIAAMAZON"
    assert signed_by(**amazon, S3_ACCESS_KEY="shorter", S3_SECRET_KEY="shorter-secret") == "shorter"
    assert signed_by(EndpointConfig(key="own:own-secret"), **amazon) == "own"
    assert signed_by(EndpointConfig(key_env="A:B"), A="named", B="named-secret") == "named"
    other = EndpointConfig(backend="s3", base_url=url, key="minio:minio-secret")
    assert signed_by(other, "minio", **amazon) == "minio"
    public = EndpointConfig(backend="s3", base_url=url, options={"anonymous": True})
    assert signed_by(public, "public", **amazon) is None
    KeyFile.default().set("s3", Secret("stored:stored-secret"), url)
    try:
        assert signed_by(EndpointConfig(base_url=url), **amazon) == "stored"
    finally:
        KeyFile.default().remove("s3")


def test_a_session_token_goes_along(signed_by: Any, httpserver: HTTPServer) -> None:
    assert signed_by(EndpointConfig(key="id:secret-secret:token==")) == "id"
    assert httpserver.log[-1][0].headers["x-amz-security-token"] == "token=="


def test_a_profile(signed_by: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text("[lab]\naws_access_key_id = AKIALAB\naws_secret_access_key = lab-secret\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    assert signed_by(EndpointConfig(options={"profile": "lab"})) == "AKIALAB"
    with pytest.raises(e.ConfigError, match="nobody"):
        signed_by(EndpointConfig(options={"profile": "nobody"}))


def test_without_credentials_nothing_is_sent_or_waited_for(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = httpserver.url_for("").rstrip("/")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)  # which is not asked either
    with Client(Config(environ={}), endpoints={"lab": EndpointConfig(backend="s3", base_url=url)}) as client:
        with pytest.raises(e.MissingKeyError, match="needs credentials") as caught:
            client.head_object("lab/bucket/k")
        assert "AWS_ACCESS_KEY_ID" in (caught.value.hint or "")
        assert "ipfs-accel keys set lab" in (caught.value.hint or "")
        assert client.healthcheck("lab").status == "misconfigured"
    assert httpserver.log == []


@pytest.mark.parametrize(("key", "message"), [("no-colon-in-it", "ID:SECRET"), ("id:", "ID:SECRET")])
def test_a_key_of_another_form_is_refused_and_not_shown(key: str, message: str, httpserver: HTTPServer) -> None:
    endpoint = EndpointConfig(backend="s3", base_url=httpserver.url_for("").rstrip("/"), key=key)
    with Client(Config(environ={}), endpoints={"lab": endpoint}) as client:
        with pytest.raises(e.ConfigError, match=message) as caught:
            client.head_object("lab/bucket/k")
        assert "no-colon" not in f"{caught.value}{caught.value.__dict__}"
    assert httpserver.log == []


def test_no_secret_shows(httpserver: HTTPServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    body = f"<Error><Code>SignatureDoesNotMatch</Code><Message>not {SECRET}</Message></Error>"
    httpserver.expect_request("/bucket/k").respond_with_data(body, 403)
    url = httpserver.url_for("").rstrip("/")
    with Client(Config(environ={}), endpoints={"s3": EndpointConfig(base_url=url, key=KEY)}) as client:
        with pytest.raises(e.AuthenticationError) as caught:
            client.get_object("s3/bucket/k")
        shown = [repr(client), repr(client.config), repr(caught.value), str(caught.value.__dict__), caplog.text]
        assert SECRET not in "".join(shown)
        target = client._core._targets["s3"]
        assert SECRET not in f"{target!r}{target.endpoint!r}"


PLACES: list[tuple[str, dict[str, Any], str]] = [
    ("", {"region": "eu-west-1"}, "https://bucket.s3.eu-west-1.amazonaws.com/k"),
    ("https://s3.example.com", {}, "https://s3.example.com/bucket/k"),
    ("https://s3.example.com", {"addressing": "virtual"}, "https://bucket.s3.example.com/k"),
    ("https://example.com/prefix", {}, "https://example.com/prefix/bucket/k"),
    ("https://internal:9000", {"public_url": "https://files.example.com"}, "https://files.example.com/bucket/k"),
]


@pytest.mark.parametrize(("base_url", "options", "expected"), PLACES)
def test_where_a_bucket_is(base_url: str, options: dict[str, Any], expected: str) -> None:
    endpoint = EndpointConfig(backend="s3", base_url=base_url or None, key=KEY, options=options)
    with Client(Config(environ={}), endpoints={"x": endpoint}) as client:
        url = client.presign_object("x/bucket/k").url
    assert url.partition("?")[0] == expected
    query = parse_qs(urlsplit(url).query)
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert "AWSAccessKeyId" not in query


REGIONS: list[tuple[str, dict[str, Any], dict[str, str], str]] = [
    ("https://abc.r2.cloudflarestorage.com", {}, {}, "auto"),
    ("https://s3.example.com", {}, {"AWS_REGION": "eu-north-1"}, "us-east-1"),
    ("https://s3.example.com", {"store": "garage"}, {}, "garage"),
    ("https://s3.example.com", {"region": "moon-1"}, {}, "moon-1"),
    ("", {}, {"AWS_REGION": "eu-north-1"}, "eu-north-1"),  # boto3 itself does not read this one
    ("", {}, {"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-south-1"}, "eu-south-1"),
    ("", {"region": "eu-west-3"}, {"AWS_REGION": "eu-north-1"}, "eu-west-3"),
]


@pytest.mark.parametrize(("base_url", "options", "environ", "region"), REGIONS)
def test_regions(
    base_url: str, options: dict[str, Any], environ: dict[str, str], region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    # Only the endpoint of the backend's own name may be moved by boto3's variables.
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://elsewhere.example.com")
    endpoint = EndpointConfig(backend="s3", base_url=base_url or None, key=KEY, options=options)
    with Client(Config(environ={}), endpoints={"x": endpoint}) as client:
        url = client.presign_object("x/bucket/k").url
    assert f"%2F{region}%2Fs3%2F" in url
    assert "elsewhere" not in url


def test_wrong_settings_are_named() -> None:
    for options, message in (
        ({"store": "attic"}, "none of aws, r2"),
        ({"part_size": 1000}, "part_size"),
        ({"threads": 0}, "threads"),
        ({"adressing": "path"}, "adressing"),
    ):
        endpoint = EndpointConfig(backend="s3", key=KEY, options=options)
        with (
            Client(Config(environ={}), endpoints={"x": endpoint}) as client,
            pytest.raises(e.ConfigError, match=message),
        ):
            client.presign_object("x/bucket/k")
    public = EndpointConfig(backend="s3", options={"anonymous": True})
    wanted = pytest.raises(e.InvalidRequestError, match="nothing to sign with")
    with Client(Config(environ={}), endpoints={"x": public}) as client, wanted:
        client.presign_object("x/bucket/k")


def test_boto3_is_imported_when_it_is_used() -> None:
    code = (
        "import sys, ipfs_accel_s3; from ipfs_accel import Client, Config\n"
        "client = Client(Config(environ={})); client.supports('s3', 'put_object'); client.close()\n"
        "print(sorted({'boto3', 'botocore', 's3transfer', 'urllib3'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.fixture
def secure(tls: TLSFiles) -> Iterator[tuple[HTTPServer, Path]]:
    """A server with TLS: over plain HTTP, boto3 sends its checksums in another form."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.cert, tls.key)
    with HTTPServer(host="127.0.0.1", ssl_context=context) as server:
        server.expect_request("/bucket/k").respond_with_data(headers={"ETag": '"e"'})
        yield server, tls.cert


FORMS: list[tuple[dict[str, Any], bool]] = [
    ({}, False),  # a store that nobody knows is spared the form that old ones store as content
    ({"store": "aws"}, True),
    ({"checksums": "when_supported"}, True),
    ({"store": "aws", "checksums": "when_required"}, False),
]


@pytest.mark.parametrize(("options", "is_chunked"), FORMS)
def test_the_form_of_checksums(options: dict[str, Any], is_chunked: bool, secure: tuple[HTTPServer, Path]) -> None:
    server, authority = secure
    url = server.url_for("").rstrip("/")
    endpoint = EndpointConfig(backend="s3", base_url=url, key=KEY, options={"ca_file": str(authority), **options})
    with Client(Config(environ={}), endpoints={"x": endpoint}) as client:
        client.put_object("x/bucket/k", b"data")
    headers = server.log[0][0].headers
    assert (headers.get("Content-Encoding") == "aws-chunked") is is_chunked
    assert (headers.get("x-amz-trailer") == "x-amz-checksum-crc32") is is_chunked
    assert (headers.get("Content-Length") == "4") is not is_chunked


def test_a_certificate_of_nobody_is_not_trusted(secure: tuple[HTTPServer, Path]) -> None:
    endpoint = EndpointConfig(backend="s3", base_url=secure[0].url_for("").rstrip("/"), key=KEY)
    with Client(Config(environ={}), endpoints={"x": endpoint}) as client:
        with pytest.raises(e.APIConnectionError, match="no secure connection") as caught:
            client.put_object("x/bucket/k", b"data")
        assert (caught.value.retryable, caught.value.sent) == (False, False)
        assert "ca_file" in (caught.value.hint or "")


def test_the_configured_proxy_is_used_and_no_other(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is the test's server, which is asked for the address of the store as it stands."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    proxy = httpserver.url_for("").rstrip("/")
    httpserver.expect_request("/bucket/k").respond_with_data(headers={"ETag": '"e"'})
    for url, config in (("http://store.invalid", Config(environ={}, proxy=proxy)), (proxy, Config(environ={}))):
        endpoint = EndpointConfig(backend="s3", base_url=url, key=KEY)
        with Client(config, endpoints={"x": endpoint}) as client:
            client.put_object("x/bucket/k", b"data")
    assert [request.host for request, _ in httpserver.log] == ["store.invalid", proxy.removeprefix("http://")]


def test_a_store_of_this_machine_is_reached_without_a_proxy(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/bucket/k").respond_with_data(headers={"ETag": '"e"'})
    endpoint = EndpointConfig(backend="s3", base_url=httpserver.url_for("").rstrip("/"), key=KEY)
    with Client(Config(environ={}, proxy="http://proxy.invalid:1"), endpoints={"x": endpoint}) as client:
        client.put_object("x/bucket/k", b"data")


def test_a_proxy_that_boto3_cannot_use_is_refused_at_once() -> None:
    endpoint = EndpointConfig(backend="s3", base_url="http://store.invalid", key=KEY)
    config = Config(environ={}, proxy="socks5://me:canary@proxy.invalid:1")
    refused = pytest.raises(e.ConfigError, match="cannot go through a SOCKS proxy")
    with Client(config, endpoints={"x": endpoint}) as client, refused as caught:
        client.put_object("x/bucket/k", b"data")
    assert "canary" not in repr(caught.value.__dict__) + str(caught.value)


def test_the_authorities_of_the_configuration_are_trusted(secure: tuple[HTTPServer, Path]) -> None:
    server, authority = secure
    endpoint = EndpointConfig(backend="s3", base_url=server.url_for("").rstrip("/"), key=KEY)
    with Client(Config(environ={}, ca_file=str(authority)), endpoints={"x": endpoint}) as client:
        client.put_object("x/bucket/k", b"data")


@pytest.mark.peer
def test_trailing_checksums_over_tls(tls: TLSFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """The form that plain HTTP never exercises, against a store that reads and verifies it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.cert))
    with gateway("--cert", str(tls.cert), "--key", str(tls.key), scheme="https") as server:
        options = {"ca_file": str(tls.cert), "checksums": "when_supported", "part_size": 5 * 1024 * 1024}
        with Client(Config(environ={}), endpoints={"s3": server.endpoint(**options)}) as client:
            client.call("s3", "create_bucket", bucket="secure")
            data = bytes(range(256)) * 4096 * 6
            for content in (b"data", data):
                client.put_object("s3/secure/k", content)
                got = client.get_object("s3/secure/k")
                assert got.data == content
            assert client.head_object("s3/secure/k").checksums["crc32"]
