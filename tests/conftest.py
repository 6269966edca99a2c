"""The whole suite draws the same numbers on every machine, in every run and in every order."""

from __future__ import annotations

import random
import sys

import numpy as np
import pytest
from hypothesis import settings

# A run of the same code ends as the last one did; limits of time are the tests' own, as a busy
# machine is no fault. `pytest --hypothesis-profile=search` looks for new examples.
settings.register_profile("repeat", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None, max_examples=300, print_blob=True)
settings.load_profile("repeat")


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    random.seed(0)
    np.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)
