"""Which source is converted to which voice: every pair of the protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from autovoice.errors import InputError
from autovoice.eval.protocol.items import Item

PairKind = Literal["song", "speech", "copy"]
Group = Literal["song", "mix", "speech", "copy"]
# How tables call them.
GROUPS: dict[Group, str] = {
    "song": "a cappella",
    "mix": "song through the separator",
    "speech": "speech to speech",
    "copy": "a voice to itself",
}


@dataclass(frozen=True)
class Pair:
    """A source in the voice of a target.

    Args:
        source: what is converted.
        target: whose voice it gets.
        kind: ``song``, ``speech`` or ``copy``, as cards have it.
        separate: whether the voice has to be taken out of a mix first.
    """

    source: Item
    target: Item
    kind: PairKind
    separate: bool = False

    @property
    def name(self) -> str:
        """Its name in tables."""
        return f"{self.source.name} -> {self.target.name}"

    @property
    def slug(self) -> str:
        """Its name in file names."""
        return f"{self.source.name}__{self.target.name}"

    @property
    def group(self) -> Group:
        """What it is counted with: its kind, and songs through the separator by themselves."""
        return "mix" if self.separate else self.kind


def all_pairs(items: Sequence[Item]) -> list[Pair]:
    """Return every pair of the protocol.

    In this order: each a cappella recording to each general target (speech of people who do not
    sing here), each mix to the same, each singer to their own speech, each general target to each
    other, and each of them and each a cappella recording to itself.
    """
    acapella = [item for item in items if item.kind == "acapella"]
    mixes = [item for item in items if item.kind == "song_mix"]
    speech = [item for item in items if item.kind == "speech_ref"]
    singers = {item.speaker for item in acapella + mixes if item.speaker}
    targets = [item for item in speech if item.speaker not in singers]
    own = [
        (song, said)
        for song in acapella
        for said in speech
        if song.speaker and said.speaker == song.speaker
    ]
    return [
        *(Pair(song, target, "song") for song in acapella for target in targets),
        *(Pair(song, target, "song", separate=True) for song in mixes for target in targets),
        *(Pair(song, said, "song") for song, said in own),
        *(Pair(one, other, "speech") for one in targets for other in targets if one != other),
        *(Pair(item, item, "copy") for item in [*acapella, *targets]),
    ]


def only_named(pairs: Sequence[Pair], patterns: Sequence[str]) -> list[Pair]:
    """Keep the pairs whose source, target or name (``source -> target``) fits a pattern.

    Args:
        pairs: to choose from.
        patterns: names, ``*`` stands for anything; none keeps all.

    Raises:
        InputError: a pattern fits nothing.
    """
    if not patterns:
        return list(pairs)
    for pattern in patterns:
        if not any(_fits(pair, pattern) for pair in pairs):
            known = dict.fromkeys(item.name for p in pairs for item in (p.source, p.target))
            raise InputError(f"--only {pattern!r} fits no pair; there are {', '.join(known)}")
    return [pair for pair in pairs if any(_fits(pair, pattern) for pattern in patterns)]


def _fits(pair: Pair, pattern: str) -> bool:
    names = (pair.source.name, pair.target.name, pair.name, pair.slug)
    return any(fnmatchcase(name, pattern) for name in names)
