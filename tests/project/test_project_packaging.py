"""The project file, the pins and the licences hold together."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import third_party

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
PERMISSIVE = re.compile(
    r"(?:(?:MIT|MIT-0|0BSD|BSD-[23]-Clause|BSL-1\.0|ISC|Apache-2\.0(?: WITH LLVM-exception)?"
    r"|PSF-2\.0|Zlib|CC0-1\.0|Unlicense)(?: AND | OR |$))+"
)
# Used as separate, unmodified packages; THIRD_PARTY.md says so.
WEAK_COPYLEFT = {"soxr": "LGPL-2.1-or-later", "tqdm": "MPL-2.0 AND MIT"}


def declared() -> list[Requirement]:
    lines = [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]
    return [Requirement(line) for line in lines]


def pins(python: str) -> dict[str, Version]:
    """Return the pinned version of each package on Linux for a version of Python."""
    here = {"python_version": python, "python_full_version": f"{python}.0"}
    found: dict[str, Version] = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        pin = Requirement(line)
        if pin.marker is None or pin.marker.evaluate(here):
            (specifier,) = pin.specifier
            assert specifier.operator == "==", line
            name = canonicalize_name(pin.name)
            assert name not in found, f"{name} is pinned twice for Python {python}"
            found[name] = Version(specifier.version)
    return found


def test_the_project_file_names_what_the_issue_asks_for() -> None:
    assert PROJECT["name"] == "autovoice"
    assert PROJECT["requires-python"] == ">=3.10,<3.14"
    assert PROJECT["license"] == "MIT"
    assert set(EXTRAS) == {"server", "otel", "train", "eval", "chinese", "japanese", "dev"}
    assert PROJECT["scripts"] == {"autovoice": "autovoice.cli.main:main"}


def test_every_licence_file_is_there() -> None:
    for name in PROJECT["license-files"]:
        assert (ROOT / name).stat().st_size > 500, name
    assert "the AutoVoice authors" in (ROOT / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_every_declared_dependency_is_pinned_within_its_range(python: str) -> None:
    pinned = pins(python)
    for needed in declared():
        if needed.marker is not None and not needed.marker.evaluate({"python_version": python}):
            continue
        version = pinned[canonicalize_name(needed.name)]
        assert needed.specifier.contains(version), f"{needed} but {version} is pinned"


def installed_extras() -> tuple[str, ...]:
    """Return the extras that ``make setup`` installs."""
    found = re.search(r"-e '\.\[([a-z,]+)\]'", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert found is not None
    return tuple(found[1].split(","))


def test_only_languages_are_left_out_of_the_setup() -> None:
    assert set(EXTRAS) - set(installed_extras()) == {"chinese", "japanese"}


def test_everything_installed_for_autovoice_is_what_is_pinned() -> None:
    pinned = pins(f"{sys.version_info.major}.{sys.version_info.minor}")
    for name in third_party.closure("autovoice", installed_extras()):
        installed = Version(metadata.version(name)).public
        assert installed == str(pinned[name]), f"{name}: run make setup"


def test_torch_is_the_version_that_was_tested() -> None:
    assert pins("3.11")["torch"] == Version("2.13.0")


def test_each_package_needed_at_run_time_is_permissive() -> None:
    for name in third_party.closure("autovoice", third_party.RUNTIME_EXTRAS):
        licence = third_party.licence(name)
        if name in WEAK_COPYLEFT:
            assert licence == WEAK_COPYLEFT[name]
        else:
            assert PERMISSIVE.fullmatch(licence), f"{name}: {licence}"


def test_third_party_lists_all_that_is_needed() -> None:
    text = (ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8")
    for row in third_party.weight_rows():
        assert row in text, "run make docs"
    for name in third_party.requirements("autovoice", third_party.RUNTIME_EXTRAS):
        assert f"| {canonicalize_name(name.name)} |" in text, "run make docs"


@pytest.mark.skipif(
    sys.platform != "linux" or sys.version_info[:2] != (3, 11),
    reason="the page lists what Linux and Python 3.11 install",
)
def test_third_party_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert third_party.main(["--check"]) == 0, capsys.readouterr().err


def test_third_party_tells_when_it_is_not_current(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(third_party, "TARGET", tmp_path / "page.md")
    (tmp_path / "page.md").write_text("old", encoding="utf-8")
    assert third_party.main(["--check"]) == 1
    assert "make docs" in capsys.readouterr().err
    assert third_party.main([]) == 0
    assert third_party.main(["--check"]) == 0


def test_notice_names_every_maker_of_weights() -> None:
    notice = " ".join((ROOT / "NOTICE").read_text(encoding="utf-8").split())
    for who in ("OpenAI", "Deezer", "hexgrad", "Nieradzik", "CN_ChiTu", "Morrison", "Resemble AI"):
        assert who in notice
    assert "Steven M. Bryant" in notice
    assert "CC BY 3.0" in notice


def test_make_has_every_target_and_lists_it() -> None:
    targets = "setup kernels demo test check fmt bench docs serve test-gpu lock clean".split()  # noqa: SIM905
    for words in (["-n", *targets], []):
        done = subprocess.run(
            ["make", *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert [target for target in targets if f"make {target} " not in done.stdout] == []


def test_what_is_imported_is_compiled_once() -> None:
    """Dependencies are installed without bytecode, so a variable that forbids it must not hold."""
    rule = "unexport PYTHONDONTWRITEBYTECODE"
    assert rule in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    done = subprocess.run(
        ["make", "-f", "-", "told"],
        cwd=ROOT, capture_output=True, text=True, check=True,
        input='include Makefile\ntold:\n\t@echo "found $${PYTHONDONTWRITEBYTECODE-nothing}"\n',
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.stdout == "found nothing\n"


def test_ci_runs_the_tests_the_check_of_speed_and_the_workflows() -> None:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    code = [line for line in lines if line and not line.startswith("#")]
    assert code[0] == "set -euo pipefail"
    assert code[-3:] == [
        "make test",
        "make speed",
        "exec scripts/run_e2e_tests.sh --quick --known e2e/known_shortfalls.toml",
    ]
    assert code[2:-3] == [
        "unset PYTHONDONTWRITEBYTECODE",
        "make setup",
        "scripts/test_programs.sh",
        'PATH="$PWD/.venv/programs/usr/bin:$PATH"',
    ]
    assert len(code) == 9
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_programs_that_cannot_be_had_are_named_and_stop_nothing(tmp_path: Path) -> None:
    """Neither a package manager nor a network: what needs them is skipped, all else runs."""
    (tmp_path / "scripts").mkdir()
    script = shutil.copy(ROOT / "scripts" / "test_programs.sh", tmp_path / "scripts")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 1\n")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "dirname", "mkdir", "sh"):
        (tools / name).symlink_to(shutil.which(name) or name)
    python.chmod(0o755)
    done = subprocess.run(
        [tools / "bash", script], env={"PATH": str(tools)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.splitlines() if line.startswith("test_programs: ")]
    assert [line.split()[1] for line in told] == ["Prometheus", "atheris"]


def test_the_hosted_ci_runs_the_same_script_on_every_python() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    job = yaml.safe_load(text)["jobs"]["test"]
    assert job["strategy"]["matrix"]["python"] == ["3.10", "3.11", "3.12", "3.13"]
    # Besides the script only programs of the system, which tests start.
    system, script = [step["run"] for step in job["steps"] if "run" in step]
    assert system.startswith("sudo apt-get update && sudo apt-get install ")
    assert script == ".ci/run"


def test_the_import_contract_places_every_room() -> None:
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter", encoding="utf-8")
    layers = parser["importlinter:contract:rooms"]["layers"]
    named = {room for line in layers.split("\n") for room in line.replace("|", " ").split()}
    package = ROOT / "src" / "autovoice"
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    files = {path.stem for path in package.glob("*.py")} - {"__init__", "__main__"}
    assert named == folders | files
