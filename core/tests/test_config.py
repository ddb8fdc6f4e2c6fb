from __future__ import annotations

import copy
import os
import pickle
from pathlib import Path

import pytest
from ipfs_accel import BreakerConfig, EndpointConfig, LimitsConfig, RetryConfig, Secret, load_config
from ipfs_accel._config.keys import KeyFile
from ipfs_accel.errors import ConfigError, InvalidValueError


@pytest.mark.parametrize(
    ("file", "message", "hint"),
    [
        ("a = 1\ndefault_model = =", "not valid TOML: .*line 2", None),
        ('x = 1\ndefault_modell = "a"', r"config\.toml:2: default_modell: unknown setting", "default_model"),
        ("\n[endpoints.a]\nbase_ur = 'x'", r"config\.toml:3: endpoints\.a\.base_ur: unknown setting", "base_url"),
        ("[endpoints.a]\nkey = 'sk-secret'", r"config\.toml:2: endpoints\.a\.key: unknown setting", "key_env"),
        ("on_unsupported = 'ignore'", r"config\.toml:1: on_unsupported", None),
        ("[plugins]\nallow = 3", r"config\.toml:2: plugins\.allow", None),
        ("[aliases]\nfast = 3", r"config\.toml:2: aliases\.fast: expected a string, got 3", None),
        ("[endpoints.a]\n\n\ntimeout = true", r"config\.toml:4: endpoints\.a\.timeout", None),
        ("[endpoints.a.retry]\natempts = 2", r"config\.toml:2: endpoints\.a\.retry\.atempts: unknown", "attempts"),
        ("[retry]\nattempts = 0", r"config\.toml:1: retry: attempts: expected a whole number of at least 1", None),
        ("[endpoints.a.limits]\nmax_queue = 1.5", r"endpoints\.a\.limits\.max_queue: expected a whole number", None),
        ("[breaker]\nfailure_rate = 2", r"breaker: failure_rate: expected a number above 0 and at most 1", None),
        ("[endpoints.a]\nkey_env = 3", r"config\.toml:2: endpoints\.a\.key_env", None),
        ("[endpoints.a]\nkey_policy = 'fair'", r"config\.toml:2: endpoints\.a\.key_policy", None),
    ],
)
def test_a_bad_file_names_line_key_and_fix(file: str, message: str, hint: str | None, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(file.replace("x = 1\n", "# a comment\n"))
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(path, {})
    assert "sk-secret" not in str(caught.value)
    if hint:
        assert hint in (caught.value.hint or "")


def test_a_named_file_that_is_missing_is_an_error_and_an_unnamed_one_is_not(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(tmp_path / "no.toml", {})
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(None, {"IPFS_ACCEL_CONFIG": str(tmp_path / "no.toml")})
    assert load_config(None, {}).path is None


def test_retries_limits_and_breakers_are_configured_for_all_or_for_one(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        "[retry]\nattempts = 5\n[endpoints.a.retry]\nattempts = 2\nbase = 1\n"
        "[endpoints.a.limits]\nrequests_per_minute = 60\n[endpoints.b.breaker]\nenabled = false\n"
    )
    config = load_config(path, {"IPFS_ACCEL_RETRY_ATTEMPTS": "4"})
    assert config.retry == RetryConfig(attempts=4)
    assert config.endpoints["a"].retry == RetryConfig(attempts=2, base=1.0)
    assert config.endpoints["a"].limits == LimitsConfig(requests_per_minute=60)
    assert config.endpoints["b"].breaker == BreakerConfig(enabled=False)
    with pytest.raises(ConfigError, match="IPFS_ACCEL_RETRY_ATTEMPTS"):
        load_config(None, {"IPFS_ACCEL_RETRY_ATTEMPTS": "often"})


def test_what_cannot_stand_in_the_file_is_unknown_there_and_only_there(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[cache]\npath = "answers.sqlite3"\n')
    cache = load_config(file, environ={}).cache
    assert cache is not None
    assert cache.path == "answers.sqlite3"
    for text in ('path = "x"', "environ = {}", '[endpoints.a]\nkey = "sk-secret"'):
        file.write_text(text)
        with pytest.raises(ConfigError, match="unknown setting"):
            load_config(file, environ={})


def test_environment_settings(tmp_path: Path) -> None:
    config = load_config(None, {"IPFS_ACCEL_DEFAULT_MODEL": "acme/m", "IPFS_ACCEL_TIMEOUT": "7"})
    assert (config.default_model, config.timeout) == ("acme/m", 7.0)
    assert config.sources["timeout"] == "IPFS_ACCEL_TIMEOUT"
    with pytest.raises(ConfigError, match="IPFS_ACCEL_TIMEOUT"):
        load_config(None, {"IPFS_ACCEL_TIMEOUT": "soon"})


def test_the_key_file_is_private(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "sub" / "keys.json")
    keys.set("acme", Secret("sk-1"), "https://a.test")
    keys.set("beta", Secret("sk-2"), "https://b.test")
    assert keys.path.stat().st_mode & 0o777 == 0o600
    assert keys.names() == ["acme", "beta"]
    assert keys.remove("acme")
    assert not keys.remove("acme")
    keys.path.chmod(0o644)
    with pytest.raises(ConfigError, match="other users may read") as caught:
        keys.get("beta")
    assert "chmod 600" in (caught.value.hint or "")


def test_a_secret_does_not_show() -> None:
    secret = Secret(" sk-very-secret\n")
    shown = f"{secret} {secret!r} {secret:>5} {[secret]} {EndpointConfig(key=secret)} {pickle.dumps(secret)!r}"
    assert "very" not in shown
    assert secret.reveal() == "sk-very-secret"
    with pytest.raises(InvalidValueError, match="pickle"):
        pickle.loads(pickle.dumps(secret)).reveal()  # noqa: S301 - our own value
    for bad in ("", "a\nb", "a\x00b", "ä"):
        with pytest.raises(InvalidValueError) as caught:
            Secret(bad)
        assert bad == "" or bad not in str(caught.value)


def test_a_copy_of_settings_has_the_key() -> None:
    settings = EndpointConfig(key=["sk-one-canary", "sk-two-canary"])
    for copied in (copy.copy(settings), copy.deepcopy(settings), copy.deepcopy({"a": [settings]})["a"][0]):
        assert isinstance(copied.key, tuple)
        assert [each.reveal() for each in copied.key] == ["sk-one-canary", "sk-two-canary"]  # type: ignore[union-attr]
    assert b"canary" not in pickle.dumps(settings)


def test_the_process_environment_is_the_default() -> None:
    assert load_config(None).environ is os.environ
