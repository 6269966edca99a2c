"""The commands of the pages against a running service."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from api_desk import tone
from process_desk import running

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ADDRESS = "http://127.0.0.1:8000"


@pytest.mark.parametrize("page", ["README.md", "docs/api.md"])
def test_curl_fetches_a_cover(page: str, tmp_path: Path) -> None:
    blocks = FENCE.findall((ROOT / page).read_text(encoding="utf-8"))
    script = next(block for block in blocks if "curl " in block)
    (tmp_path / "song.mp3").write_bytes(tone(1.0, kind="MP3"))
    with running(tmp_path / "d") as service:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script.replace(ADDRESS, service.url)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "event: end" in done.stdout
    assert (tmp_path / "cover.flac").read_bytes()[:4] == b"RIFF"  # the fake engine's one format


def test_curl_fetches_speech(tmp_path: Path) -> None:
    blocks = FENCE.findall((ROOT / "docs/api.md").read_text(encoding="utf-8"))
    script = next(block for block in blocks if "audio/speech" in block)
    with running(tmp_path / "d") as service:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script.replace(ADDRESS, service.url)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "hello.wav").read_bytes()[:4] == b"RIFF"
    assert (tmp_path / "story.mp3").stat().st_size > 500
