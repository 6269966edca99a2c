"""Sources and voices of the evaluation set, cut and named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from autovoice.eval.card import Kind
from autovoice.eval.figure import NotApplicable
from e2e.conversions import Job, convert
from e2e.records import Case
from e2e.setting import Setting

Span = tuple[str, float, float]


def convert_pairs(
    setting: Setting, pairs: Sequence[tuple[Span, str]], kind: Kind, *, mixed: bool = False
) -> Iterator[Case]:
    """Convert each source, cut from its begin to its end, into the voice of each target."""
    for (source, begin_s, end_s), target in pairs:
        name = f"{source} {begin_s:g}-{end_s:g} s -> {target}"

        def run(
            name: str = name,
            source: str = source,
            span: tuple[float, float] = (begin_s, end_s),
            target: str = target,
        ) -> Case:
            song = setting.materials.cut(setting.materials.recording(source), *span)
            reference = setting.materials.recording(target)
            return convert(setting, Job(name, song, reference, reference, kind, mixed))

        yield or_why_not(name, run)


def or_why_not(name: str, run: Callable[[], Case]) -> Case:
    """Return the case, or one that says why it could not be run."""
    try:
        return run()
    except NotApplicable as reason:
        return Case(name, why_not=str(reason))
