"""Put a run beside an earlier one: differences, how sure they are, and where it got worse.

Pairs of one source are not independent, so where a run has enough sources with several pairs each
(``LEAST_SOURCES``), whole sources are drawn for the intervals and not single pairs. Some 30
measures are compared at 95 % each: one or two verdicts come by chance when nothing has changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autovoice.eval.protocol.columns import BY_KEY, COLUMNS, Row, badness, printed, value
from autovoice.eval.protocol.results import pair_name

Verdict = Literal["better", "worse", "no clear change", "too few pairs", "for the record"]
RESAMPLES = 10_000
SEED = 20_260_101
# A bootstrap of fewer pairs than this says more of the draw than of the change.
LEAST_PAIRS = 4
# With fewer sources than this, pairs are drawn: whole sources would say more of the draw.
LEAST_SOURCES = 5
# What "got worse" is judged by: one measure for each thing that a listener hears.
JUDGED_BY = ("pitch_median_cents", "pitch_within_50_cents", "similarity_gain", "cer", "distillmos")
MOST_LOSERS = 5
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Change:
    """How the mean of a measure moved; of a measure that is best at 0, the mean of its size.

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


def heading(key: str) -> str:
    """Return what a comparison calls a measure; one that is best at 0 is compared by its size."""
    sized = BY_KEY[key].better == "zero"
    return f"{BY_KEY[key].heading} (size)" if sized else BY_KEY[key].heading


def printed_end(key: str, number: float) -> str:
    """Return a mean before or after as tables show it; a size has no sign."""
    text = printed(key, number)
    return text.lstrip("+-") if BY_KEY[key].better == "zero" else text


def interval(differences: Numbers, sources: Sequence[str] = ()) -> tuple[float, float]:
    """Return the 95 % interval of the mean of paired differences, ``[N]``.

    Drawn with replacement, 10,000 times, always from the same seed, are whole sources, each with
    all its pairs, where there are at least five with more than one pair on average; else pairs.

    Args:
        differences: of each pair.
        sources: of each pair. Default: draw pairs.

    Source: Efron, "Bootstrap methods: another look at the jackknife", 1979 (percentile interval);
    Field and Welsh, "Bootstrapping clustered data", 2007 (whole clusters).
    """
    sums: Numbers = differences
    counts = np.ones(len(differences))
    names = list(dict.fromkeys(sources))
    if LEAST_SOURCES <= len(names) < len(differences):
        places = [names.index(source) for source in sources]
        sums = np.bincount(places, differences).astype(np.float64)
        counts = np.bincount(places).astype(np.float64)
    draws = _draws(len(sums))
    low, high = np.percentile((draws @ sums) / (draws @ counts), [2.5, 97.5])
    return float(low), float(high)


@lru_cache(maxsize=4)  # most measures have as many pairs as the one before
def _draws(count: int) -> Numbers:
    """Return how often each pair or source is drawn in each resample, ``[10000, N]``."""
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
        (old, new, after["source"])
        for before, after in pairs
        if (old := value(before, key)) is not None and (new := value(after, key)) is not None
    ]
    if not both:
        return None
    olds, news, sources = zip(*both, strict=True)
    was, now = np.array(olds), np.array(news)
    if BY_KEY[key].better == "zero":  # which side of 0 is no better than the other
        was, now = abs(was), abs(now)
    bounds = interval(now - was, sources) if len(both) >= LEAST_PAIRS else None
    return Change(
        measure=key,
        pairs=len(both),
        before=float(was.mean()),
        after=float(now.mean()),
        difference=float((now - was).mean()),
        low=bounds[0] if bounds else None,
        high=bounds[1] if bounds else None,
        verdict=_verdict(key, bounds),
    )


def _verdict(key: str, bounds: tuple[float, float] | None) -> Verdict:
    """Tell better from worse where the interval leaves out 0."""
    if BY_KEY[key].better == "none":
        return "for the record"
    if bounds is None:
        return "too few pairs"
    if bounds[0] <= 0.0 <= bounds[1]:
        return "no clear change"
    return "better" if (bounds[0] > 0.0) == (BY_KEY[key].better == "higher") else "worse"
