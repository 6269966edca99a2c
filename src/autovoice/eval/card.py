"""The score card of one conversion: every figure, and what a picture of it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autovoice.eval.figure import Figure
from autovoice.eval.measures import BY_KEY
from autovoice.types import RangeFit

# song: singing, scored against a speech reference; speech: both speak; copy: a voice to itself;
# text: speech that was made from text, without a source.
Kind = Literal["song", "speech", "copy", "text"]
Status = Literal["pass", "fail", "not applicable"]
# Bumped when a figure changes its meaning, so that old results are not compared unawares.
FORMAT = 1


@dataclass(frozen=True)
class Recording:
    """A file that took part: name, content hash, length, rate, channels."""

    name: str
    sha256: str
    seconds: float
    sample_rate_hz: int
    channels: int


@dataclass(frozen=True)
class Words:
    """What Whisper heard in the source and in the output."""

    language: str
    source: str
    output: str
    output_greedy: str


@dataclass(frozen=True, eq=False)
class Melody:
    """F0 in Hz every 10 ms, 0 where unvoiced, each ``[F]``.

    Args:
        source_hz: as sung.
        wanted_hz: the source moved by the applied shift and by the delay.
        output_hz: what came out.
        hop_s: seconds between frames.
    """

    source_hz: NDArray[np.float64]
    wanted_hz: NDArray[np.float64]
    output_hz: NDArray[np.float64]
    hop_s: float = 0.01


@dataclass(frozen=True)
class Phrase:
    """A stretch between two pauses of the source; ``figures`` by name as in ``phrases``."""

    start_s: float
    end_s: float
    figures: Mapping[str, Figure]


@dataclass(frozen=True)
class Gate:
    """A figure against its threshold.

    Args:
        name: of the gate, as in ``gates.toml``.
        measure: key of the figure.
        wanted: the condition in words and numbers, such as ``"> 0.74"``.
        protocol: under which conditions the threshold holds.
        value: the figure; None where not applicable.
        status: the verdict; decided on the unrounded value.
        why: the reason when not applicable, else ``""``.
    """

    name: str
    measure: str
    wanted: str
    protocol: str
    value: float | None
    status: Status
    why: str = ""


@dataclass(frozen=True, eq=False)
class Card:
    """How good one conversion is.

    Args:
        output, source, reference: what was judged.
        kind: which protocol; decides the gates.
        semitones: the shift that was applied.
        span_s: start and end, in the source, of the part that was judged.
        figures: by measure key, each of ``measures.MEASURES``.
        gates: verdicts.
        words: transcripts; None when words were not scored.
        melody: F0 curves of the judged part; None when nothing was tracked.
        phrases: where it went well and where not.
        notes: what a reader should know (only a part was judged, rates differ, ...).
        timings: seconds by metric.
        range: how the whole song fits the voice; None where that was not asked for.
    """

    output: Recording
    source: Recording
    reference: Recording
    kind: Kind
    semitones: float
    span_s: tuple[float, float]
    figures: Mapping[str, Figure]
    gates: tuple[Gate, ...] = ()
    words: Words | None = None
    melody: Melody | None = field(default=None, repr=False)
    phrases: tuple[Phrase, ...] = ()
    notes: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    range: RangeFit | None = None

    def __post_init__(self) -> None:
        unknown = set(self.figures) - set(BY_KEY)
        if unknown:
            raise ValueError(f"unknown measures: {', '.join(sorted(unknown))}")

    def value(self, key: str) -> float | None:
        """Return one figure's number, None where it does not apply or was not asked for."""
        figure = self.figures.get(key)
        return None if figure is None else figure.value

    def with_gates(self, gates: tuple[Gate, ...]) -> Card:
        """Return the same card with verdicts."""
        return replace(self, gates=gates)

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints: plain values, None never NaN; curves are left out."""
        return {
            "format": FORMAT,
            "kind": self.kind,
            "semitones": self.semitones,
            "span_s": list(self.span_s),
            "output": asdict(self.output),
            "source": asdict(self.source),
            "reference": asdict(self.reference),
            "figures": {key: _plain(figure) for key, figure in self.figures.items()},
            "gates": [asdict(gate) for gate in self.gates],
            "words": None if self.words is None else asdict(self.words),
            "phrases": [
                {
                    "start_s": phrase.start_s,
                    "end_s": phrase.end_s,
                    "figures": {key: _plain(each) for key, each in phrase.figures.items()},
                }
                for phrase in self.phrases
            ],
            "notes": list(self.notes),
            "timings": dict(self.timings),
            "range": None if self.range is None else self.range.to_json(),
        }


def _plain(figure: Figure) -> dict[str, Any]:
    if figure.value is None:
        return {"value": None, "why_not": figure.why_not}
    return {"value": figure.value}
