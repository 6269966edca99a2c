"""The end of a process waits for the batch that runs, and for nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# Leaves at once while the first of many passes runs, as somebody does who took the first sentence.
LEAVES_EARLY = """
import sys, time
from pathlib import Path
from autovoice.engine.batching import Batcher, Call, Job

def run(item):
    Path(sys.argv[1], f"begun-{item}").touch()
    time.sleep(1.0)
    Path(sys.argv[1], f"done-{item}").touch()

batcher = Batcher()
for item in range(60):
    batcher.submit(Job(item, None, run, None, Call(), 0))
while not Path(sys.argv[1], "begun-0").exists():
    time.sleep(0.01)
"""
# The same within PyTorch, which has let go of the interpreter meanwhile.
WITHIN_TORCH = """
import sys, torch
from pathlib import Path
from autovoice.engine.batching import Batcher, Call, Job

table = torch.randn(1500, 1500)

def run(item):
    Path(sys.argv[1], "begun-0").touch()
    for _ in range(40):
        table @ table

batcher = Batcher()
for item in range(3):
    batcher.submit(Job(item, None, run, None, Call(), 0))
while not Path(sys.argv[1], "begun-0").exists():
    pass
"""


def _run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_batch_that_runs_is_waited_for_and_the_rest_is_dropped(tmp_path: Path) -> None:
    left = _run(LEAVES_EARLY, tmp_path)
    assert (left.returncode, left.stderr) == (0, "")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert "done-0" in names
    assert [name.replace("begun", "done") for name in names if "begun" in name] == [
        name for name in names if "done" in name
    ]
    assert len(names) < 20  # of 120


def test_leaving_while_pytorch_computes_is_no_crash(tmp_path: Path) -> None:
    left = _run(WITHIN_TORCH, tmp_path)
    assert (left.returncode, left.stderr) == (0, "")
