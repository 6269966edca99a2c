"""Several processes as one: real ones, over gloo."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import torch

from autovoice.train.ranks import Ranks, join

PROGRAM = """
import json, sys
from pathlib import Path
import torch
from autovoice.train.ranks import join

ranks, device = join("cpu")
one, other = torch.full((2, 3), float(ranks.rank)), torch.tensor([4.0 * ranks.rank])
ranks.average([one, other])
agreed = ranks.agree(10.0 + ranks.rank)
told = {"device": device, "count": ranks.count, "first": ranks.first, "agreed": agreed,
        "one": one.tolist(), "other": other.tolist(), "offset": ranks.seed_offset}
Path(sys.argv[1], f"{ranks.rank}.json").write_text(json.dumps(told))
ranks.close()
"""


def test_one_process_is_left_alone() -> None:
    ranks, device = join("cpu")
    value = torch.ones(3)
    ranks.average([value])
    assert (ranks, device) == (Ranks(), "cpu")
    assert ranks.first
    assert ranks.agree(2.5) == 2.5
    assert torch.equal(value, torch.ones(3))
    ranks.close()


def test_two_processes_meet_in_the_middle(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         str(program), str(tmp_path)],
        check=True, timeout=240, capture_output=True,
    )  # fmt: skip
    told = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)]
    for row in told:
        assert row["device"] == "cpu"
        assert row["count"] == 2
        assert row["agreed"] == 10.0
        assert row["one"] == [[0.5] * 3] * 2
        assert row["other"] == [2.0]
    assert [row["first"] for row in told] == [True, False]
    assert told[0]["offset"] != told[1]["offset"]
