"""The shell script passes the exit code on, under ``set -e`` and in a pipe."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "run_e2e_tests.sh"


def shell(lines: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run lines of bash in another folder; ``e2e NAME`` runs one stand-in."""
    define = f'e2e() {{ "{SCRIPT}" --workflows standin_workflows --out "{folder}" --only "$1"; }}\n'
    return subprocess.run(
        ["bash", "-c", define + lines],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_script_can_be_run() -> None:
    assert os.access(SCRIPT, os.X_OK)
    assert SCRIPT.read_text(encoding="utf-8").splitlines()[0] == "#!/usr/bin/env bash"


def test_a_strict_shell_goes_on_after_a_pass_and_stops_with_the_code(tmp_path: Path) -> None:
    done = shell("set -euo pipefail\ne2e passes\necho went on\ne2e is_absent\necho no", tmp_path)
    assert done.returncode == 3, done.stderr
    assert done.stdout.splitlines().count("went on") == 1
    assert done.stdout.splitlines()[-1] != "no"
    assert len(list(tmp_path.glob("*.json"))) == 2


def test_a_pipe_keeps_the_code(tmp_path: Path) -> None:
    told = 'e2e fails 2>/dev/null | tail -n 3 >/dev/null\necho "${PIPESTATUS[0]}"'
    strict = "set -e -o pipefail\ne2e errs | cat >/dev/null\necho went on"
    done = shell(f"{told}\n{strict}", tmp_path)
    assert done.stdout.split() == ["1"]
    assert done.returncode == 1
