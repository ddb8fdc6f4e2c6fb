"""Where a host leads, and where the key goes."""

from __future__ import annotations

import warnings

import pytest
from ipfs_accel import Client, Config, EndpointConfig
from ipfs_accel import errors as e
from ipfs_accel._worlds.perform import perform
from ipfs_accel_ollama._host import is_cloud, read_host


# The forms of Ollama's own tests, of its server and of its Python client.
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", "http://127.0.0.1:11434"),
        ("  ", "http://127.0.0.1:11434"),
        ("1.2.3.4", "http://1.2.3.4:11434"),
        (":1234", "http://127.0.0.1:1234"),
        ("1.2.3.4:", "http://1.2.3.4:11434"),
        ("1.2.3.4:1234", "http://1.2.3.4:1234"),
        ("example.com", "http://example.com:11434"),
        ("example.com:1234", "http://example.com:1234"),
        ("http://1.2.3.4", "http://1.2.3.4"),
        ("https://1.2.3.4", "https://1.2.3.4"),
        ("http://1.2.3.4:80", "http://1.2.3.4"),
        ("https://1.2.3.4:443", "https://1.2.3.4"),
        ("https://1.2.3.4:80", "https://1.2.3.4:80"),
        ("http://example.com:1234", "http://example.com:1234"),
        ("https://example.com:1234", "https://example.com:1234"),
        ("https://example.com/ollama", "https://example.com/ollama"),
        ("https://example.com/ollama/", "https://example.com/ollama"),
        ("example.com/path", "http://example.com:11434/path"),
        ("example.com:56789/path/", "http://example.com:56789/path"),
        ("https://example.com:56789/path", "https://example.com:56789/path"),
        ("[::1]", "http://[::1]:11434"),
        ("::1", "http://[::1]:11434"),
        ("[::1]:1337", "http://[::1]:1337"),
        ("[0001:002:003:0004::1]", "http://[0001:002:003:0004::1]:11434"),
        ("http://[::1]", "http://[::1]"),
        ("https://[::1]:56789/path", "https://[::1]:56789/path"),
        ("0.0.0.0", "http://127.0.0.1:11434"),  # noqa: S104 - what users set
        ("0.0.0.0:1337", "http://127.0.0.1:1337"),
        ("http://0.0.0.0:1337", "http://127.0.0.1:1337"),
        ("[::]", "http://[::1]:11434"),
        ("[::]:1337", "http://[::1]:1337"),
        ("::", "http://[::1]:11434"),
        ("ollama.com", "https://ollama.com"),
        ("https://ollama.com:443", "https://ollama.com"),
        (' "1.2.3.4" ', "http://1.2.3.4:11434"),
        ("'1.2.3.4:5'", "http://1.2.3.4:5"),
    ],
)
def test_every_form_of_a_host(given: str, expected: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error" if not given.endswith(":") else "ignore")
        assert read_host(given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("1.2.3.4:66000", "http://1.2.3.4:11434"),
        ("1.2.3.4:-1", "http://1.2.3.4:11434"),
        ("1.2.3.4:abc", "http://1.2.3.4:11434"),
        ("http://1.2.3.4:66000", "http://1.2.3.4"),
        ("https://1.2.3.4:x", "https://1.2.3.4"),
    ],
)
def test_a_port_that_is_none_warns(given: str, expected: str) -> None:
    with pytest.warns(UserWarning, match="is none; port .* is used instead"):
        assert read_host(given) == expected


@pytest.mark.parametrize(
    "form", ["http://me:s3cret@gpu1", "http://me:s3cret@gpu1:8080/", "me:s3cret@gpu1", "me:s3/cret@gpu1"]
)
def test_a_password_in_a_host_is_refused_and_not_shown(form: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for environ, config in (({"OLLAMA_HOST": form}, {}), ({}, {"base_url": form})):
            with pytest.raises(e.ConfigError, match="credentials do not belong") as caught:
                target(environ, **config)
            assert "cret" not in f"{caught.value!r} {caught.value.hint}"


def target(environ: dict[str, str], **config: str) -> object:
    endpoints = {"lab": EndpointConfig(backend="ollama", **config)} if config else {}
    with Client(Config(environ=environ), endpoints=endpoints) as client:
        return perform(client._core.target("lab" if config else "ollama"), client._world)


@pytest.mark.parametrize("scheme", ["ftp", "ws"])
def test_other_schemes_are_refused(scheme: str) -> None:
    with pytest.raises(e.ConfigError, match="is not an http"):
        target({"OLLAMA_HOST": f"{scheme}://gpu1"})


def test_port_0_is_no_place_to_connect_to() -> None:
    with pytest.raises(e.ConfigError, match="base_url"):
        target({"OLLAMA_HOST": "gpu1:0"})


@pytest.mark.parametrize(
    ("environ", "config", "origin", "key"),
    [
        ({}, {}, "http://127.0.0.1:11434", False),
        ({"OLLAMA_HOST": "gpu1"}, {}, "http://gpu1:11434", False),
        ({"OLLAMA_HOST": "ollama.com"}, {}, "https://ollama.com", True),
        ({}, {"base_url": "https://ollama.com"}, "https://ollama.com", True),
        ({"OLLAMA_HOST": "gpu1"}, {"base_url": "https://ollama.com:443/"}, "https://ollama.com", True),
        ({}, {"base_url": "http://ollama.com"}, "http://ollama.com", False),
        ({}, {"base_url": "https://ollama.com.evil.example"}, "https://ollama.com.evil.example", False),
    ],
)
def test_the_key_is_sent_to_the_hosted_service_alone(
    environ: dict[str, str], config: dict[str, str], origin: str, key: bool
) -> None:
    found = target({"OLLAMA_API_KEY": "secret-of-the-cloud", **environ}, **config)
    assert found.origin == origin  # type: ignore[attr-defined]
    expected = (("authorization", "Bearer secret-of-the-cloud"),) if key else ()
    assert found.key_headers(origin) == expected  # type: ignore[attr-defined]


def test_the_hosted_service_without_a_key_is_not_called() -> None:
    client = Client(Config(environ={"OLLAMA_HOST": "ollama.com"}))
    with client, pytest.raises(e.MissingKeyError) as caught:
        client.chat("ollama/gpt-oss:120b", "hi")
    assert "OLLAMA_API_KEY" in str(caught.value.hint)
    assert "ipfs-accel keys set ollama" in str(caught.value.hint)


def test_a_key_of_its_own_goes_to_an_endpoint() -> None:
    found = target({"PROXY_KEY": "secret-of-the-proxy"}, base_url="https://gpu1", key_env="PROXY_KEY")
    assert found.key_headers("https://gpu1") == (("authorization", "Bearer secret-of-the-proxy"),)  # type: ignore[attr-defined]


def test_nobody_there_says_how_to_start_one(unused_port: int) -> None:
    with Client(Config(environ={"OLLAMA_HOST": f":{unused_port}"})) as client:
        with pytest.raises(e.APIConnectionError) as caught:
            client.chat("ollama/m", "hi")
        assert "ollama serve" in str(caught.value.hint)
        assert "https://ollama.com/download" in str(caught.value.hint)
        assert client.healthcheck("ollama").status == "unreachable"
    with Client(
        Config(environ={}), endpoints={"far": EndpointConfig(backend="ollama", base_url="nowhere.invalid")}
    ) as client:
        with pytest.raises(e.APIConnectionError) as caught:
            client.chat("far/m", "hi")
        assert caught.value.hint is None


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]  # type: ignore[no-any-return]


def test_a_first_answer_may_take_as_long_as_a_model_takes_to_load() -> None:
    limits = target({}).timeout  # type: ignore[attr-defined]
    assert (limits.connect, limits.first_event) == (5.0, 600.0)


@pytest.mark.parametrize(
    ("url", "expected"),
    [("https://ollama.com", True), ("https://www.ollama.com/x", True), ("http://ollama.com.x", False), ("", False)],
)
def test_which_is_the_hosted_service(url: str, expected: bool) -> None:
    assert is_cloud(url) is expected
