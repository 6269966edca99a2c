"""``autovoice train base``: what is refused before anything is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from autovoice.cli.main import main


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as leaving:
        main(["train", *(str(word) for word in words)])
    out, err = capsys.readouterr()
    return int(leaving.value.code or 0), out, err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--config", "nobody"], "found no file 'nobody'"),
        (["--config", "toy", "--set", "bach=2"], "bach is unknown"),
        (["--config", "toy", "--set", "batch"], "expected KEY=VALUE"),
        (["--config", "toy", "--precision", "half"], "precision: found 'half'"),
        (["--config", "toy", "--device", "tpu"], "device: found 'tpu'"),
        (["--config", "toy"], "found no corpus.npz, corpus.zip, phonemes.npz; make them with"),
        (["--config", "toy", "--steps", "0"], "--steps"),
        ([], "Missing option '--config'"),
    ],
)
def test_errors_say_what_to_do(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    code, _, err = run(capsys, "base", "--data", tmp_path, "--out", out, *words)
    assert code == 2
    assert message in err
    assert not out.exists()


def test_a_folder_without_a_checkpoint_is_not_gone_on_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("corpus.npz", "corpus.zip", "phonemes.npz"):
        (tmp_path / name).touch()
    code, _, err = run(
        capsys, "base", "--config", "toy", "--data", tmp_path, "--out", tmp_path / "out",
        "--resume", tmp_path, "--device", "cpu",
    )  # fmt: skip
    assert code == 2
    assert "found no model-0.safetensors; expected a folder that training wrote" in err


def test_help_loads_no_network() -> None:
    code = (
        "import sys, autovoice.cli.train; from autovoice.cli.main import main\n"
        "try: main(['train', 'base', '--help'])\n"
        "except SystemExit: print('torch' in sys.modules, 'pydantic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert "--config" in done.stdout
    assert done.stdout.splitlines()[-1] == "False False"
