"""The scripts around the build: what a library asks for, its architectures, what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.project.build_tree import ROOT, needs_nvcc

import abi_audit
import check_build_python
import fatbin as fatbin_script


def test_leaks_are_told_from_what_is_allowed() -> None:
    leaks = ("_ZN2at10TensorBaseD1Ev", "_ZNK3c1010TensorImpl4sizeEl", "_ZTVN5torch8autograd5ErrorE",
             "_ZN3c106detail14torchCheckFailEPKcS2_jRKSs", "PyErr_SetString", "at_something",
             "_ZNSt6vectorIN2at6TensorESaIS1_EE9push_backERKS1_")  # fmt: skip
    assert [abi_audit.kind(name) for name in leaks] == ["leak"] * len(leaks)
    allowed = {
        "aoti_torch_get_size": "torch", "torch_call_dispatcher": "torch",
        "cudaGetLastError@libcudart.so.13": "cuda", "__cudaLaunchKernel@libcudart.so.12": "cuda",
        "strlen@GLIBC_2.2.5": "c", "_Unwind_Resume@GCC_3.0": "c",
        "_Znwm@GLIBCXX_3.4": "c++", "_ZNSt9exceptionD2Ev@GLIBCXX_3.4": "c++",
        "_ZNKRSt7__cxx1115basic_stringbufIcSt11char_traitsIcESaIcEE3strEv": "c++",
    }  # fmt: skip
    assert {name: abi_audit.kind(name) for name in allowed} == allowed


def test_a_library_that_leaks_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    bad = Path(torch.__file__).parent / "lib" / "libtorch_python.so"
    assert abi_audit.main([str(bad)]) == 1
    assert "no stable function: _ZN" in capsys.readouterr().err
    assert abi_audit.main([str(ROOT / "README.md")]) == 2
    assert abi_audit.main([]) == 2


def test_versions_are_compared_as_numbers() -> None:
    assert abi_audit.newest(["a@GLIBC_2.9", "b@GLIBC_2.32", "c@GLIBCXX_3.4"], "GLIBC") == "2.32"
    audit = abi_audit.Audit({}, (), (), ("libodd.so",), {}, (2, 11, 0))
    assert audit.problems() == [
        "needs libodd.so, which is not expected", "needs PyTorch 2.11.0, expected 2.10",
    ]  # fmt: skip


def test_the_list_is_read_by_cuobjdump_where_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tool = tmp_path / "cuobjdump"
    lines = {"--list-elf": ["ELF file    1: _cuda.1.sm_90.cubin", "ELF file    2: a.2.sm_75.cubin"],
             "--list-ptx": ["PTX file    1: _cuda.1.sm_120.ptx"]}  # fmt: skip
    cases = "".join(f"{key}) printf '%s\\n' {' '.join(map(repr, text))};;\n"
                    for key, text in lines.items())  # fmt: skip
    tool.write_text(f"#!/bin/sh\ncase $1 in\n{cases}esac\n", encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert fatbin_script.main(["any.so"]) == 0
    assert "sm_75, sm_90, PTX of compute_120 (read from cuobjdump)" in capsys.readouterr().out
    assert fatbin_script.main(["--json", "any.so"]) == 0
    assert '"sass": [75, 90], "ptx": [120]' in capsys.readouterr().out
    assert fatbin_script.main([]) == 2


def test_a_file_without_gpu_code_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fatbin_script.shutil, "which", lambda name: None)
    assert fatbin_script.main([str(ROOT / "README.md")]) == 1
    assert "expected a little-endian 64-bit ELF file" in capsys.readouterr().err


def script(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``scripts/build.sh`` with this Python."""
    return subprocess.run(
        [str(ROOT / "scripts" / "build.sh"), *words],
        env={**os.environ, "PYTHON": sys.executable, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("words", [(), ("--check",)])
def test_the_script_says_that_nvcc_is_missing(words: tuple[str, ...], tmp_path: Path) -> None:
    done = script(*words, CUDA_HOME=str(tmp_path))
    assert done.returncode == 2
    assert f"MISSING: none in CUDA_HOME={tmp_path}" in done.stderr
    assert "install the CUDA toolkit" in done.stderr


@needs_nvcc
def test_the_script_finds_all_that_is_needed() -> None:
    done = script("--check")
    assert done.returncode == 0, done.stderr
    assert f"torch {torch.__version__}" in done.stdout


@needs_nvcc
def test_the_script_says_what_is_wrong_with_the_compiler() -> None:
    done = script("--check", CXX="no-such-compiler")
    assert done.returncode == 2
    assert "compiler  MISSING: no-such-compiler is not there" in done.stderr
    refused = script("--check", CC="false")
    assert refused.returncode == 2
    assert "cannot compile with false" in refused.stderr
    assert "CXX=g++" in refused.stderr


@pytest.mark.parametrize("words", ["--bogus", "--wheel"])
def test_the_script_explains_itself(words: str) -> None:
    done = script(words)
    assert done.returncode == 2
    assert "--wheel DIR" in done.stderr


def test_what_python_lacks_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, problem = Path(torch.__file__).parent, check_build_python.problem
    assert problem("2.10.0+cu130", "13.0", folder, "77.0", "13.0") is None
    assert problem("2.13.0+cpu", None, folder, "84.2", "12.8") is None
    wrong = {
        "expected 2.10": problem("2.9.1", None, folder, "80", ""),
        "stable/library.h": problem("2.13.0", None, tmp_path, "80", ""),
        "use a toolkit 12.x": problem("2.13.0", "12.8", folder, "80", "13.0"),
        "expected 77": problem("2.13.0", None, folder, "68.1.2", "13.0"),
    }
    assert [text for text, said in wrong.items() if said is None or text not in said] == []
    assert check_build_python.main(["13.0"]) == 0
    assert f"torch {torch.__version__}" in capsys.readouterr().out
