"""Progress of a download is read beside pip, which makes and removes folders meanwhile."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from autovoice.weights import fetch


def test_the_largest_file_counts(tmp_path: Path) -> None:
    assert fetch._largest_bytes(tmp_path) == 0
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "wheel").write_bytes(bytes(700))
    (tmp_path / "other").write_bytes(bytes(20))
    assert fetch._largest_bytes(tmp_path) == 700
    assert fetch._largest_bytes(tmp_path / "gone") == 0


def test_a_folder_that_goes_while_it_is_looked_at_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip-download-1").mkdir()
    (tmp_path / "pip-download-1" / "wheel").write_bytes(bytes(700))
    (tmp_path / "wheel").write_bytes(bytes(20))
    scandir = os.scandir

    def going(path: str) -> object:
        if str(path).endswith("pip-download-1"):
            shutil.rmtree(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", going)
    assert fetch._largest_bytes(tmp_path) == 20
    assert not (tmp_path / "pip-download-1").exists()
