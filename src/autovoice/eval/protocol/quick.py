"""The eight pairs of the quick run: a little of everything that can go wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autovoice.eval.protocol.items import Item, known_stems
from autovoice.eval.protocol.pairs import Pair

# Seconds of each source, from where the most is going on.
SECONDS = 12.0


@dataclass(frozen=True)
class _Place:
    """One of the eight: what must hold of it, and the pair that is taken when it is there."""

    fits: Callable[[Pair], bool]
    source: str
    target: str


def _song(sexes: str) -> Callable[[Pair], bool]:
    """Return a test for an a cappella pair of other people; ``fm`` is a woman to a man."""

    def fits(pair: Pair) -> bool:
        other = pair.source.speaker != pair.target.speaker
        return pair.group == "song" and other and pair.source.sex + pair.target.sex == sexes

    return fits


def _is(group: str) -> Callable[[Pair], bool]:
    return lambda pair: pair.group == group


PLACES = (
    _Place(_song("mf"), "gtsinger_en_tenor1_acap", "libri_testother_367"),
    _Place(_song("fm"), "gtsinger_zh04_acap", "ravdess_actor21"),
    _Place(_song("mm"), "gtsinger_jp03_acap", "nemo_MP0"),
    _Place(_song("ff"), "gtsinger_fr03_acap", "ravdess_actor22"),
    _Place(_is("song"), "vocadito_1_acap", "speechocean_0024"),
    _Place(_is("mix"), "constructed_vocadito1_vibeace_mix", "libri_testother_2414"),
    _Place(_is("speech"), "libri_testother_3005", "libri_testother_1688"),
    _Place(_is("copy"), "gtsinger_en_alto2_acap", "gtsinger_en_alto2_acap"),
)


def quick_pairs(items: Sequence[Item], pairs: Sequence[Pair]) -> list[Pair]:
    """Choose eight pairs: both changes of sex and none, many languages, a mix, speech, a copy.

    The pair that is written down for a place is taken where the folder has it. Otherwise the place
    goes to a pair that fits and brings the most that is new: first a language, then a source, then
    a target; of mixes one whose stems are known, so that the separator is judged too. A place that
    nothing fits goes to whatever brings the most, so a small folder has fewer than eight pairs
    only when it has no more.

    Args:
        items: of the folder.
        pairs: all pairs of the folder.
    """
    chosen: list[Pair] = []
    for place in PLACES:
        listed = [
            p for p in pairs if (p.source.name, p.target.name) == (place.source, place.target)
        ]
        left = [pair for pair in pairs if pair not in chosen]
        fitting = [pair for pair in left if place.fits(pair)]
        choice = [pair for pair in listed if pair in left] or _newest(items, chosen, fitting)
        chosen += choice[:1]
    while len(chosen) < len(PLACES) and len(chosen) < len(pairs):
        chosen += _newest(items, chosen, [pair for pair in pairs if pair not in chosen])[:1]
    return chosen


def _newest(items: Sequence[Item], chosen: Sequence[Pair], pairs: Sequence[Pair]) -> list[Pair]:
    """Sort by how seldom language, source and target were chosen; equals stay in order."""
    languages = Counter(pair.source.language for pair in chosen)
    names = Counter(item.name for pair in chosen for item in (pair.source, pair.target))

    def worn(pair: Pair) -> tuple[bool, int, int, int]:
        stemless = pair.separate and known_stems(items, pair.source) is None
        source, target = pair.source, pair.target
        return stemless, languages[source.language], names[source.name], names[target.name]

    return sorted(pairs, key=worn)
