"""How the whole suite draws its examples: the same ones on every machine and in every run."""

from __future__ import annotations

from hypothesis import settings

# A run of the same code ends as the last one did; limits of time are the tests' own, as a busy
# machine is no fault. `pytest --hypothesis-profile=search` looks for new examples.
settings.register_profile("repeat", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None, max_examples=300, print_blob=True)
settings.load_profile("repeat")
