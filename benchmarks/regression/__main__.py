"""Time one case: ``python -m benchmarks.regression NAME`` prints its median, in loops."""

from __future__ import annotations

import sys

import torch

from benchmarks.regression import measure
from benchmarks.regression.cases import CASES

if __name__ == "__main__":
    torch.set_num_threads(1)
    print(measure.trial(CASES[sys.argv[1]]).ratio())
