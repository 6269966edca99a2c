"""Put a run beside an earlier one: differences, how sure they are, and where it got worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autovoice.eval.protocol.columns import BY_KEY, COLUMNS, Row, badness, value
from autovoice.eval.protocol.results import pair_name

Verdict = Literal["better", "worse", "no clear change", "too few pairs", "for the record"]
RESAMPLES = 10_000
SEED = 20_260_101
# A bootstrap of fewer pairs than this says more of the draw than of the change.
LEAST_PAIRS = 4
# What "got worse" is judged by: one measure for each thing that a listener hears.
JUDGED_BY = ("pitch_median_cents", "pitch_within_50_cents", "similarity_gain", "cer", "distillmos")
MOST_LOSERS = 5
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Change:
    """How the mean of a measure moved.

    Args:
        measure: its key.
        pairs: how many have it in both runs.
        before, after: means over these pairs.
        difference: after less before.
        low, high: the interval that holds it with 95 %; None for too few pairs.
        verdict: by the interval and by which way is better.
    """

    measure: str
    pairs: int
    before: float
    after: float
    difference: float
    low: float | None
    high: float | None
    verdict: Verdict


@dataclass(frozen=True)
class Loser:
    """A pair that got worse.

    Args:
        pair: its name.
        loss: mean over measures of the loss in spreads (see ``losers``).
        by: the measure that lost most.
        before, after: its figures.
    """

    pair: str
    loss: float
    by: str
    before: float
    after: float


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side.

    Args:
        about: of the earlier run.
        matched: pairs that both have, with the same settings.
        unmatched: pairs that only one has.
        changes: by measure.
        losers: the worst five, worst first; fewer when fewer got worse.
    """

    about: Mapping[str, str]
    matched: int
    unmatched: int
    changes: tuple[Change, ...]
    losers: tuple[Loser, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values for ``results.json``."""
        return {
            "about": dict(self.about),
            "matched": self.matched,
            "unmatched": self.unmatched,
            "changes": [vars(change) for change in self.changes],
            "worst": [vars(loser) for loser in self.losers],
        }


def compare(rows: Sequence[Row], earlier: Mapping[str, Any]) -> Comparison:
    """Match pairs by name and settings and compare each measure over the pairs that have it.

    Args:
        rows: of this run.
        earlier: the ``results.json`` of another.
    """
    ours, theirs = (
        {row["key"]: row for row in each if not row.get("error")}
        for each in (rows, earlier["pairs"])
    )
    pairs = [(theirs[key], ours[key]) for key in ours if key in theirs]
    changes = (_change(column.key, pairs) for column in COLUMNS)
    return Comparison(
        about=earlier.get("about", {}),
        matched=len(pairs),
        unmatched=len(set(ours) ^ set(theirs)),
        changes=tuple(change for change in changes if change is not None),
        losers=losers(pairs),
    )


def interval(differences: Numbers) -> tuple[float, float]:
    """Return the 95 % interval of the mean of paired differences, ``[N]``.

    Pairs are drawn with replacement, 10,000 times, always from the same seed.

    Source: Efron, "Bootstrap methods: another look at the jackknife", 1979 (percentile interval).
    """
    count = len(differences)
    low, high = np.percentile(_draws(count) @ differences / count, [2.5, 97.5])
    return float(low), float(high)


@lru_cache(maxsize=4)  # most measures have as many pairs as the one before
def _draws(count: int) -> Numbers:
    """Return how often each pair is drawn in each resample, ``[10000, N]``."""
    drawn = np.random.default_rng(SEED).integers(0, count, (RESAMPLES, count))
    places = drawn + count * np.arange(RESAMPLES)[:, None]
    counts = np.bincount(places.ravel(), minlength=RESAMPLES * count)
    return counts.reshape(RESAMPLES, count).astype(np.float64)


def losers(pairs: Sequence[tuple[Row, Row]]) -> tuple[Loser, ...]:
    """Name the pairs that got worse most, over all that a listener hears.

    The measures of ``JUDGED_BY`` have different units, so each loss is divided by the spread
    (standard deviation) of that measure over the pairs of the earlier run; a pair's loss is the
    mean over the measures that it has. One pair alone has no spread: then nothing is named.

    Args:
        pairs: rows, earlier and present.
    """
    spreads = {key: _spread(pairs, key) for key in JUDGED_BY}
    found = []
    for before, after in pairs:
        losses = {
            key: (badness(key, new) - badness(key, old)) / spreads[key]
            for key in JUDGED_BY
            if (old := value(before, key)) is not None
            and (new := value(after, key)) is not None
            and spreads[key] > 0.0
        }
        loss = float(np.mean(list(losses.values()))) if losses else 0.0
        if loss > 0.0:
            by = max(losses, key=lambda key: losses[key])
            figures = value(before, by) or 0.0, value(after, by) or 0.0
            found.append(Loser(pair_name(after), loss, by, *figures))
    return tuple(sorted(found, key=lambda loser: -loser.loss)[:MOST_LOSERS])


def _spread(pairs: Sequence[tuple[Row, Row]], key: str) -> float:
    numbers = [number for before, _ in pairs if (number := value(before, key)) is not None]
    return float(np.std(numbers)) if numbers else 0.0


def _change(key: str, pairs: Sequence[tuple[Row, Row]]) -> Change | None:
    """Compare one measure, None where no pair has it in both runs."""
    both = [
        (old, new)
        for before, after in pairs
        if (old := value(before, key)) is not None and (new := value(after, key)) is not None
    ]
    if not both:
        return None
    was, now = (np.array(column) for column in zip(*both, strict=True))
    low, high = interval(now - was) if len(both) >= LEAST_PAIRS else (None, None)
    return Change(
        measure=key,
        pairs=len(both),
        before=float(was.mean()),
        after=float(now.mean()),
        difference=float((now - was).mean()),
        low=low,
        high=high,
        verdict=_verdict(key, was, now),
    )


def _verdict(key: str, was: Numbers, now: Numbers) -> Verdict:
    """Tell better from worse where the interval of the change in badness leaves out 0."""
    if BY_KEY[key].better == "none":
        return "for the record"
    if len(was) < LEAST_PAIRS:
        return "too few pairs"
    worse = [badness(key, b) - badness(key, a) for a, b in zip(was, now, strict=True)]
    low, high = interval(np.array(worse))
    if low > 0.0:
        return "worse"
    return "better" if high < 0.0 else "no clear change"
