"""Stores that nobody here wrote: moto in this process, and versitygw where it is built."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from ipfs_accel import Client, Config, EndpointConfig

from conftest import free_port, started

from .stores import ID, SECRET, Missing, versitygw_program

MIB = 1024 * 1024


class Server(NamedTuple):
    """A running store; `checks` is whether it checks signatures and checksums."""

    url: str
    checks: bool

    def endpoint(self, key: str = f"{ID}:{SECRET}", **options: Any) -> EndpointConfig:
        return EndpointConfig(backend="s3", base_url=self.url, key=key, options=options)


class TLSFiles(NamedTuple):
    """A certificate for 127.0.0.1 that is its own authority, and its key."""

    cert: Path
    key: Path


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TLSFiles:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    files = TLSFiles(folder / "cert.pem", folder / "key.pem")
    files.cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


@pytest.fixture(autouse=True, scope="session")
def _own_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees the configuration and credentials of who runs it."""
    home = str(tmp_path_factory.mktemp("home"))
    with pytest.MonkeyPatch.context() as patch:
        for name in [each for each in os.environ if each.startswith(("AWS_", "S3_"))]:
            patch.delenv(name)
        for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "HOME"):
            patch.setenv(name, home)
        patch.setenv("AWS_CONFIG_FILE", f"{home}/config")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", f"{home}/credentials")
        yield


@pytest.fixture(scope="session")
def moto() -> Iterator[Server]:
    from moto.server import ThreadedMotoServer

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_S3_DEFAULT_KEY_BUFFER_SIZE", "65536")  # what is larger it keeps in files, not in memory
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        yield Server(f"http://{host}:{port}", checks=False)
        server.stop()


@contextmanager
def gateway(*flags: str, scheme: str = "http") -> Iterator[Server]:
    """Run versitygw over a folder of its own."""
    try:
        program = versitygw_program(may=bool(os.environ.get("IPFS_ACCEL_PEERS")))
    except Missing as reason:
        pytest.skip(f"versitygw: {reason}")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("data", "meta"):
            (Path(folder) / name).mkdir()
        where = ["posix", "--sidecar", f"{folder}/meta", f"{folder}/data"]
        common = ["--port", f"127.0.0.1:{port}", "--access", ID, "--secret", SECRET, "--health", "/health", "--quiet"]
        with started([str(program), *common, *flags, *where], f"{scheme}://127.0.0.1:{port}/health"):
            yield Server(f"{scheme}://127.0.0.1:{port}", checks=True)


@pytest.fixture(scope="session")
def versitygw() -> Iterator[Server]:
    with gateway() as server:
        yield server


@pytest.fixture(scope="session", params=["moto", pytest.param("versitygw", marks=pytest.mark.peer)])
def server(request: pytest.FixtureRequest) -> Server:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[Client]:
    endpoints = {
        "s3": server.endpoint(),
        "summed": server.endpoint(checksums="when_supported"),
        "parts": server.endpoint(part_size=5 * MIB),
        "summed-parts": server.endpoint(part_size=5 * MIB, checksums="when_supported"),
    }
    with Client(Config(environ={}), endpoints=endpoints) as client:
        yield client


@pytest.fixture
def bucket(client: Client) -> str:
    """A bucket of the test's own."""
    name = f"b-{uuid4().hex[:12]}"
    client.call("s3", "create_bucket", bucket=name)
    return name
