"""`ipfs-accel objects` over a backend that keeps objects in a dict."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Run
from .shelf import Shelf


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    monkeypatch.setenv("IPFS_ACCEL_PLUGINS", "shelf")
    return Shelf()


def test_a_file_goes_and_comes_back(run: Run, shelf: Shelf, tmp_path: Path) -> None:
    source = tmp_path / "model.gguf"
    source.write_bytes(b"weights")
    stored = run("objects", "put", str(source), "shelf/b/m/model.gguf", "--metadata", "by=me", plugins=[shelf])
    assert (stored.exit_code, stored.stdout) == (0, "shelf/b/m/model.gguf\n")
    assert shelf.log[0].metadata == {"by": "me"}
    got = run("objects", "get", "shelf/b/m/model.gguf", str(tmp_path / "again"), "--json", plugins=[shelf])
    assert json.loads(got.stdout)["verified"] == "sha256"
    assert (tmp_path / "again").read_bytes() == b"weights"
    run("objects", "get", "shelf/b/m/model.gguf", str(tmp_path), plugins=[shelf])
    assert (tmp_path / "model.gguf").read_bytes() == b"weights"
    assert run("objects", "get", "shelf/b/m/model.gguf", "-", plugins=[shelf]).stdout == "weights"
    assert run("objects", "get", "-r", "shelf/b/m/", str(tmp_path / "all"), plugins=[shelf]).exit_code == 0
    shelf.objects["b", "m/a\tb"] = b"no file's name"
    again = ["objects", "get", "-r", "shelf/b/m/", str(tmp_path / "all")]
    assert run(*again, plugins=[shelf]).exit_code != 0
    assert run(*again, "--skip-unnameable", plugins=[shelf]).exit_code == 0
    del shelf.objects["b", "m/a\tb"]
    assert (tmp_path / "all" / "model.gguf").exists()
    piped = run("objects", "put", "-", "shelf/b/piped", "--create-only", input=b"from stdin", plugins=[shelf])
    assert piped.exit_code == 0
    assert shelf.objects["b", "piped"] == b"from stdin"


def test_what_is_there_is_listed_copied_and_deleted(run: Run, shelf: Shelf) -> None:
    shelf.objects = {("b", "k1"): b"x", ("b", "k2"): b"xx"}
    assert run("objects", "ls", "shelf/b", plugins=[shelf]).stdout.splitlines()[0].startswith("k1\t1 B")
    document = json.loads(run("objects", "ls", "shelf/b", "--limit", "1", "--json", plugins=[shelf]).stdout)
    assert ([each["key"] for each in document["objects"]], document["complete"]) == (["k1"], False)
    assert run("objects", "ls", "shelf", plugins=[shelf]).stdout.startswith("b/")
    assert "size\t2" in run("objects", "stat", "shelf/b/k2", plugins=[shelf]).stdout
    assert run("objects", "cp", "shelf/b/k1", "shelf/b/k3", plugins=[shelf]).exit_code == 0
    assert run("objects", "rm", "shelf/b/k1", plugins=[shelf]).exit_code == 0
    assert sorted(key for _bucket, key in shelf.objects) == ["k2", "k3"]
    shelf.objects["b", "locked"] = b""
    failed = run("objects", "rm", "-r", "shelf/b/l", plugins=[shelf])
    assert failed.exit_code == 1
    assert "it is locked" in failed.stderr
    assert run("objects", "rm", "-r", "shelf/b", plugins=[shelf]).exit_code == 2
    assert run("objects", "stat", "shelf/b/gone", plugins=[shelf]).exit_code == 1


def test_a_url_for_somebody_else(run: Run, shelf: Shelf) -> None:
    done = run("objects", "presign", "shelf/b/k", "--method", "put", "--expires-in", "60", plugins=[shelf])
    assert done.stdout == "http://shelf.example/b/k?signature=s3cret\n"
    assert run("objects", "put", "x", "shelf/b/k", "--metadata", "wrong", plugins=[shelf]).exit_code == 2
