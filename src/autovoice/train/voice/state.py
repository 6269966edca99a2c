"""The state of an interrupted training: written beside the voices, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor

from autovoice.voices import Scores
from autovoice.voices.file import write_whole

FILE = "state.safetensors"
_FACTS = "autovoice.training"


@dataclass
class State:
    """How far a training is.

    Args:
        key: hash of recordings, settings and voice model: only the same training goes on.
        step: steps done.
        spent_s: seconds spent on them, in all runs together.
        scoring_s: seconds that the last score took.
        best_step: step of the best state so far.
        stale: scores since then that were no better.
        history: ``(step, loss, similarity, worth)`` of each score.
        scores: of the untrained voice, and of the best.
        tensors: values, averages, moments of the optimiser, and the best values, by
            ``<kind>/<name>``.
    """

    key: str
    step: int = 0
    spent_s: float = 0.0
    scoring_s: float = 0.0
    best_step: int = 0
    stale: int = 0
    history: list[tuple[int, float, float, float]] = field(default_factory=list)
    scores: dict[str, Scores] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def kind(self, kind: str) -> dict[str, Tensor]:
        """Return the tensors of a kind by name."""
        cut = len(kind) + 1
        return {k[cut:]: v for k, v in self.tensors.items() if k.startswith(kind + "/")}

    def put(self, kind: str, values: Mapping[str, Tensor]) -> None:
        """Set the tensors of a kind."""
        self.tensors |= {
            f"{kind}/{k}": v.detach().cpu().clone().contiguous() for k, v in values.items()
        }


def save(state: State, folder: Path) -> Path:
    """Write ``state`` to ``folder``, whole or not at all.

    Raises:
        ResourceError: the disk is full or the folder cannot be written.
    """
    facts = asdict(state) | {"tensors": None}
    facts["scores"] = {name: one.model_dump() for name, one in state.scores.items()}
    content = save_tensors(state.tensors, metadata={_FACTS: json.dumps(facts)})
    return write_whole(folder / FILE, content)


def load(folder: Path, key: str) -> State | None:
    """Read the state of the training ``key``; None where there is none, or another's."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {})[_FACTS])
            if facts["key"] != key:
                return None
            names = list(file.keys())
            tensors = {name: file.get_tensor(name) for name in names}
        facts["scores"] = {k: Scores.model_validate(v) for k, v in facts["scores"].items()}
        facts["history"] = [tuple(row) for row in facts["history"]]
        return State(**{**facts, "tensors": tensors})
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None  # a damaged state is no state: training begins anew
