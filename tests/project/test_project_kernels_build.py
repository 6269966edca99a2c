"""The compiled kernels: every architecture, nothing but the stable ABI; no GPU is needed.

The wheel is compiled once for each state of ``csrc/`` (one to three minutes on two cores) and kept
in ``build/kernels/``.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest
import torch
from packaging.utils import parse_wheel_filename
from tests.project.build_tree import NVCC, ROOT, build, built, copied, needs_nvcc

import abi_audit
from autovoice.kernels import fatbin, library

WANTED = {70, 75, 80, 86, 89, 90, 100, 120}
KEPT = ROOT / "build" / "kernels"


def nvcc_says(option: str) -> str:
    """Return what nvcc prints."""
    assert NVCC is not None
    return subprocess.run([NVCC, option], capture_output=True, text=True, check=True).stdout


def state() -> str:
    """Return a hash of all that the compiled file depends on."""
    names = sorted([*(ROOT / "csrc").iterdir(), ROOT / "setup.py"])
    digest = hashlib.sha256(f"{nvcc_says('--version')} {torch.__version__}".encode())
    for path in names:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@pytest.fixture(scope="module")
def wheel() -> Path:
    """Return the wheel with the kernels of the present sources."""
    kept = KEPT / state()
    if not kept.is_dir():
        KEPT.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=KEPT) as scratch:
            tree, out = Path(scratch, "tree"), Path(scratch, "out")
            built("wheel", copied(tree, without=["models"]), out, cuda="1")
            try:
                out.rename(kept)
            except OSError:
                if not kept.is_dir():  # else another run beside this one was first
                    raise
    (found,) = kept.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def compiled(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the library out of the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract("autovoice/_cuda.so", tmp_path_factory.mktemp("so")))


# The first of these tests compiles.
@needs_nvcc
@pytest.mark.timeout(1500)
def test_one_wheel_serves_every_python(wheel: Path) -> None:
    (tag,) = parse_wheel_filename(wheel.name)[3]
    assert (tag.interpreter, tag.abi) == ("cp310", "abi3")
    assert tag.platform.startswith("linux_")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert [name for name in names if name.endswith(".so")] == ["autovoice/_cuda.so"]
    assert "autovoice/kernels/library.py" in names


@needs_nvcc
@pytest.mark.timeout(1500)
def test_every_source_has_code_for_every_architecture(compiled: Path) -> None:
    known = {int(number) for number in re.findall(r"compute_(\d+)", nvcc_says("--list-gpu-arch"))}
    expected = tuple(sorted(known & WANTED))
    found = fatbin.modules(compiled)
    assert len(found) == len(list((ROOT / "csrc").glob("*.cu")))
    assert set(found) == {fatbin.GpuCode(sass=expected, ptx=expected[-1:])}
    assert {90, 120} <= set(expected)


@needs_nvcc
@pytest.mark.timeout(1500)
def test_nothing_but_the_stable_abi_is_used(
    compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = abi_audit.audit(compiled)
    assert found.problems() == []
    assert {"libtorch.so", "libstdc++.so.6"} <= set(found.libraries)
    assert any(name.startswith("libcudart.so.") for name in found.libraries)
    assert found.symbols["torch"] > 20
    assert found.torch in {None, (2, 10, 0)}
    assert abi_audit.main([str(compiled)]) == 0, capsys.readouterr().err


@needs_nvcc
@pytest.mark.timeout(1500)
def test_every_op_has_a_kernel(compiled: Path) -> None:
    data = compiled.read_bytes()
    names = [found.op for found in library.implementations()]
    assert names
    assert [name for name in names if name.encode() + b"\0" not in data] == []


@pytest.mark.parametrize("cuda", ["auto", "0"])
def test_an_isolated_build_needs_no_compiler(cuda: str, tmp_path: Path) -> None:
    """As pip builds it: no PyTorch to build against, whether or not nvcc is there."""
    tree = copied(tmp_path / "tree", without=["models"])
    made = built("wheel", tree, tmp_path, cuda=cuda, blocked=["torch"])
    assert made.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(made) as archive:
        assert [name for name in archive.namelist() if name.endswith(".so")] == []


@pytest.mark.parametrize("cuda", ["1", "yes"])
def test_a_wish_that_cannot_be_met_is_told(cuda: str, tmp_path: Path) -> None:
    tree = copied(tmp_path / "tree", without=["models"])
    done = build("wheel", tree, tmp_path, cuda=cuda, blocked=["torch"])
    assert done.returncode != 0
    assert f"AUTOVOICE_CUDA={cuda}: expected" in done.stderr


TINY = """
#include "mark.h"
__global__ void fill(float* x) { x[threadIdx.x] = 1.f; }
extern "C" const char* mark() { fill<<<1, 1>>>(nullptr); return MARK; }
"""


@needs_nvcc
@pytest.mark.timeout(600)
def test_a_changed_header_is_compiled_and_the_list_of_architectures_honoured(
    tmp_path: Path,
) -> None:
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "NOTICE", "THIRD_PARTY.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("csrc", "src/autovoice"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "src/autovoice/__init__.py").touch()
    (tmp_path / "csrc/tiny.cu").write_text(TINY, encoding="utf-8")
    wanted = {"AUTOVOICE_CUDA": "1", "TORCH_CUDA_ARCH_LIST": "8.0;9.0+PTX"}
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    library_file, stamps = tmp_path / "src/autovoice/_cuda.so", []
    for text in ("mark-1", "mark-2", "mark-2"):
        header = tmp_path / "csrc/mark.h"
        if not header.exists() or text not in header.read_text(encoding="utf-8"):
            header.write_text(f'#define MARK "{text}"\n', encoding="utf-8")
        done = subprocess.run(command, cwd=tmp_path, env={**os.environ, **wanted}, check=False,
                              capture_output=True, text=True)  # fmt: skip
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        assert text.encode() in library_file.read_bytes()
        objects = sorted((tmp_path / "build").rglob("tiny.o"))
        stamps.append([path.stat().st_mtime_ns for path in objects])
    assert stamps[0] != stamps[1] == stamps[2]
    assert fatbin.read(library_file) == fatbin.GpuCode(sass=(80, 90), ptx=(90,))


def test_nothing_is_compiled_at_import() -> None:
    sources = (ROOT / "src").rglob("*.py")
    wrong = [path.name for path in sources if "cpp_extension" in path.read_text(encoding="utf-8")]
    assert wrong == []


def test_setup_is_short() -> None:
    assert len((ROOT / "setup.py").read_text(encoding="utf-8").splitlines()) <= 80
