"""A wheel carries the models and finds them; an editable install keeps to the repository's."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from tests.project.build_tree import ROOT, built, copied

from autovoice import weights
from autovoice.weights.paths import bundled_root


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of what a package is built of, so that nothing is built in the checkout."""
    return copied(tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def installed(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the wheel unpacked as an installer would."""
    folder = tmp_path_factory.mktemp("wheel")
    site = folder / "site"
    with zipfile.ZipFile(built("wheel", tree, folder, cuda="0")) as wheel:
        wheel.extractall(site)
    return site


def test_the_wheel_holds_every_model_with_its_index_and_data(installed: Path) -> None:
    index = weights.bundled_index()
    assert index, "no models are listed in models/index.json"
    for name, listed in index.items():
        path = installed / "autovoice" / "_models" / name
        assert path.stat().st_size == listed.size_bytes
    for needed in ("_models/index.json", "py.typed", "__init__.pyi"):
        assert (installed / "autovoice" / needed).is_file(), needed
    here = {path.relative_to(ROOT / "src") for path in (ROOT / "src").rglob("*.csv")}
    assert {path for path in here if not (installed / path).is_file()} == set()
    assert not (installed / "tests").exists()
    assert not (installed / "benchmarks").exists()


def test_the_unpacked_wheel_finds_and_reads_its_own_models(installed: Path) -> None:
    code = """
import autovoice
from autovoice import weights
print(autovoice.__file__)
print(*{status.state for status in weights.verify_bundled()})
print(*(weights.bundled(name) for name in weights.bundled_index()), sep="\\n")
from autovoice.voices.builtin import builtin_voice
print(builtin_voice("kumo").name)"""
    done = subprocess.run(
        # The path that comes first wins over the checkout that is installed here.
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(installed)!r})\n{code}"],
        cwd=installed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    module, states, *paths, voice = done.stdout.split("\n")[:-1]
    assert Path(module).is_relative_to(installed)
    assert states == "ready"
    assert len(paths) == len(weights.bundled_index())
    assert all(Path(path).parent == installed / "autovoice" / "_models" for path in paths)
    assert voice == "kumo"


def test_a_source_archive_can_build_the_same_wheel(tree: Path, tmp_path: Path) -> None:
    with tarfile.open(built("sdist", tree, tmp_path, cuda="0")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"setup.py", "models/index.json"} <= names
    assert {f"models/{name}" for name in weights.bundled_index()} <= names
    assert {f"csrc/{path.name}" for path in (ROOT / "csrc").iterdir()} <= names
    assert "scripts/build.sh" in names


def test_an_editable_install_has_no_copy_of_the_models(tree: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(built("editable", tree, tmp_path, cuda="0")) as wheel:
        assert [name for name in wheel.namelist() if "_models" in name] == []
    assert not (tree / "src" / "autovoice" / "_models").exists()


def test_a_checkout_reads_the_models_of_the_repository() -> None:
    assert bundled_root() == ROOT / "models"
    assert not (ROOT / "src" / "autovoice" / "_models").exists()
