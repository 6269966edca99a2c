"""Convert and judge pair by pair; every row is on disk as soon as it is known."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from autovoice import io
from autovoice.errors import Cancelled, ResourceError, WeightsError
from autovoice.eval.card import FORMAT, Card, Kind
from autovoice.eval.figure import Figure, NotApplicable, measured
from autovoice.eval.length import length_error_samples
from autovoice.eval.part import cut, most_active_part
from autovoice.eval.protocol.about import short_digest
from autovoice.eval.protocol.items import Item, known_stems
from autovoice.eval.protocol.pairs import Pair
from autovoice.eval.protocol.rows import Rows, key_of
from autovoice.eval.report import write_card
from autovoice.eval.separation import sdr_db, si_sdr_db
from autovoice.types import Audio
from autovoice.weights.files import sha256_of

log = logging.getLogger(__name__)
CARDS = "cards"


class Converter(Protocol):
    """What a run needs of ``autovoice.Engine``."""

    def voice(self, voice: Any) -> Any:
        """Make a voice of a recording."""

    def convert(self, song: Any, voice: Any, *, separate: bool, semitones: str) -> Any:
        """Return a ``Conversion``."""


class Judge(Protocol):
    """What a run needs of ``autovoice.eval.scorer.Scorer``; ``load``, if any, comes first."""

    def card(
        self,
        output: Audio,
        source: Audio,
        reference: Audio,
        *,
        kind: Kind,
        semitones: float,
        language: str | None,
        names: tuple[str, str, str],
    ) -> Card:
        """Judge an output; names are those of output, source and reference."""


class CardWriter(Protocol):
    """``autovoice.eval.report.write_card``, or what stands in for it."""

    def __call__(
        self,
        card: Card,
        folder: Path,
        name: str,
        *,
        output: Audio,
        source: Audio,
        reference: Audio | None,
    ) -> Path:
        """Write the page of a card."""


@dataclass(frozen=True)
class Standing:
    """How far a run is.

    Args:
        done, total: pairs; what an earlier run found counts as done.
        failed: of those done.
        seconds: since the run began.
        seconds_left: by the mean speed so far, in seconds of sound; None until it is known.
        pair: which comes next or, with ``row``, which was just done; None at the end.
        row: what was found.
    """

    done: int
    total: int
    failed: int
    seconds: float
    seconds_left: float | None
    pair: Pair | None = None
    row: Mapping[str, Any] | None = None


class Run:
    """One run over many pairs; run it again with the same folder and it goes on.

    Args:
        engine: converts.
        scorer: judges.
        out: folder of ``rows.jsonl`` and, for cards, of ``cards/``.
        items: of the evaluation folder, in which the stems of mixes are looked up.
        seconds: convert only the most active part of each source of at most this length, in
            seconds; None for all of it.
        cards: also write the page of each card, ``out/cards/SOURCE__TARGET__DIGEST.html``; the
            digest is of settings and inputs, and the row has the name.
        write: writes such a page. Default: ``report.write_card``.
        fresh: forget what an earlier run found, and delete its pages of cards.
        commit: of the code, put into each row.
        made_with: stands for models and device (``about.made_with``); rows of others, or of other
            recordings, are not known.
        progress: hears how far it is, before each pair and after it.
    """

    def __init__(
        self,
        engine: Converter,
        scorer: Judge,
        out: Path,
        *,
        items: Sequence[Item] = (),
        seconds: float | None = None,
        cards: bool = False,
        write: CardWriter | None = None,
        fresh: bool = False,
        commit: str = "unknown",
        made_with: str = "",
        progress: Callable[[Standing], None] | None = None,
    ) -> None:
        self.engine, self.scorer, self.out, self.items = engine, scorer, out, items
        self.seconds, self.cards, self.commit = seconds, cards, commit
        self.write: CardWriter = write or write_card
        self.made_with = made_with
        self._rows = Rows(out, fresh=fresh)
        if fresh:
            _delete_pages(out / CARDS)
        self._progress = progress or (lambda _: None)
        self._targets: dict[str, tuple[Any, Audio]] = {}
        self._sums: dict[Path, str] = {}

    def pairs(self, pairs: Sequence[Pair]) -> list[dict[str, Any]]:
        """Convert and judge every pair that is not known, and return the rows of all.

        A pair that fails becomes a row with ``error`` and is tried again by the next run. A row
        that is known is done anew only for the sake of its page, when that is wanted and missing.

        Raises:
            WeightsError, ResourceError, Cancelled: no other pair would fare better.
            AutoVoiceError: the ``eval`` extra is not installed.
        """
        begin_s = time.perf_counter()
        known = {pair: self._known(pair) for pair in pairs}
        todo = [pair for pair in pairs if known[pair] is None]
        done, failed, heard_s, ahead_s = len(pairs) - len(todo), 0, 0.0, self._sound_s(todo)
        rows = {pair: row for pair, row in known.items() if row is not None}

        def tell(pair: Pair | None, row: Mapping[str, Any] | None = None) -> None:
            spent_s = time.perf_counter() - begin_s
            left_s = ahead_s * spent_s / heard_s if heard_s else None if ahead_s else 0.0
            self._progress(Standing(done, len(pairs), failed, spent_s, left_s, pair, row))

        load = getattr(self.scorer, "load", None)
        if todo and load is not None:
            load()  # what the judge lacks is said before the first conversion
        for pair in todo:
            tell(pair)
            rows[pair] = self._row(pair)
            self._rows.keep(rows[pair])
            sound_s = self._sound_s([pair])
            done, heard_s, ahead_s = done + 1, heard_s + sound_s, ahead_s - sound_s
            failed += rows[pair].get("error") is not None
            tell(pair, rows[pair])
        tell(None)
        return [rows[pair] for pair in pairs]

    def _known(self, pair: Pair) -> dict[str, Any] | None:
        row = self._rows.get(key_of(pair, self.seconds), self._inputs(pair))
        if row is None or not self.cards:
            return row
        return row if (self.out / CARDS / f"{row.get('page')}.html").is_file() else None

    def _inputs(self, pair: Pair) -> str:
        """Return a digest of models, device, and the recordings of a pair."""
        stems = known_stems(self.items, pair.source) if pair.separate else None
        items = (pair.source, pair.target, *(stems or ()))
        return short_digest(self.made_with, *(self._sum(item.path) for item in items))

    def _sum(self, path: Path) -> str:
        """Return the SHA-256 of a recording; each is read once for it."""
        if path not in self._sums:
            try:
                self._sums[path] = sha256_of(path)
            except OSError:  # its pairs fail when they are converted, and say why
                self._sums[path] = ""
        return self._sums[path]

    def _sound_s(self, pairs: Sequence[Pair]) -> float:
        most_s = float("inf") if self.seconds is None else self.seconds
        return sum(min(pair.source.seconds, most_s) for pair in pairs)

    def _row(self, pair: Pair) -> dict[str, Any]:
        """Return the row of a pair; of one that fails, with the reason."""
        head: dict[str, Any] = {
            "key": key_of(pair, self.seconds),
            "inputs": self._inputs(pair),
            "source": pair.source.name,
            "target": pair.target.name,
            "kind": pair.kind,
            "group": pair.group,
            "language": pair.source.language,
            "seconds": self.seconds,
            "format": FORMAT,
            "commit": self.commit,
            "error": None,
        }
        try:
            page = f"{pair.slug}__{short_digest(head['key'], head['inputs'])}"
            return {**head, **self._found(pair, page), "page": page if self.cards else None}
        except (WeightsError, ResourceError, Cancelled):
            raise
        except Exception as error:  # whatever it was, the other pairs are still wanted
            log.warning("%s: %s: %s", pair.name, type(error).__name__, error)
            log.debug("%s", pair.name, exc_info=True)
            return {**head, "error": f"{type(error).__name__}: {error}"}

    def _found(self, pair: Pair, page: str) -> dict[str, Any]:
        voice, reference = self._target(pair.target)
        song = io.read(pair.source.path)
        span = most_active_part(song, song.seconds if self.seconds is None else self.seconds)
        song = cut(song, *span)
        begin_s = time.perf_counter()
        done = self.engine.convert(song, voice, separate=pair.separate, semitones="auto")
        took_s = time.perf_counter() - begin_s - done.timings.get("load", 0.0)
        begin_s = time.perf_counter()
        # Of a mix the voices are judged: the one that was taken out, and the one put in its place.
        output = done.stems.converted if pair.separate else done.audio
        source = done.stems.vocals if pair.separate else song
        card = self.scorer.card(
            output,
            source,
            reference,
            kind=pair.kind,
            semitones=done.semitones,
            language=pair.source.language or None,
            names=(pair.name, pair.source.name, pair.target.name),
        )
        whole = measured(length_error_samples(done.audio, song))
        card = replace(card, figures={**card.figures, "length_error_samples": whole})
        score_s = time.perf_counter() - begin_s
        page_s = self._write_page(page, card, output, source, reference)
        figures = {
            **card.figures,
            **self._separation(pair, done, span),
            "realtime_factor": Figure(took_s / song.seconds),
        }
        return {
            "semitones": done.semitones,
            "audio_seconds": round(song.seconds, 3),
            "span_s": list(span),
            "figures": {key: figure.value for key, figure in figures.items()},
            "why_not": {key: figure.why_not for key, figure in figures.items() if figure.why_not},
            "gates": card.to_json()["gates"],
            "notes": [*done.notes, *card.notes],
            "timings": {
                **{f"convert {stage}": _tidy(each) for stage, each in done.timings.items()},
                **{f"score {metric}": _tidy(each) for metric, each in card.timings.items()},
                "convert": _tidy(took_s),
                "score": _tidy(score_s),
                "page": _tidy(page_s),
            },
            "words": card.to_json()["words"],
        }

    def _target(self, item: Item) -> tuple[Any, Audio]:
        """Return the voice and the recording of a target; each voice is made once."""
        if item.name not in self._targets:
            self._targets[item.name] = self.engine.voice(item.path), io.read(item.path)
        return self._targets[item.name]

    def _separation(
        self, pair: Pair, conversion: Any, span: tuple[float, float]
    ) -> dict[str, Figure]:
        """Judge the separator where what was mixed is known."""
        stems = known_stems(self.items, pair.source) if pair.separate else None
        if stems is None:
            return {}
        truth = cut(io.read(stems[0].path), *span)
        return {
            key: _attempt(measure, conversion.stems.vocals, truth)
            for key, measure in (("separation_si_sdr_db", si_sdr_db), ("separation_sdr_db", sdr_db))
        }

    def _write_page(
        self, page: str, card: Card, output: Audio, source: Audio, reference: Audio
    ) -> float:
        """Write the card's page where it is wanted and return the seconds that it took."""
        begin_s = time.perf_counter()
        if self.cards:
            sounds = {"output": output, "source": source, "reference": reference}
            self.write(card, self.out / CARDS, page, **sounds)
        return time.perf_counter() - begin_s


def _attempt(measure: Callable[[Audio, Audio], float], estimate: Audio, truth: Audio) -> Figure:
    try:
        return measured(measure(estimate, truth))
    except NotApplicable as reason:
        return Figure(None, str(reason))


def _delete_pages(folder: Path) -> None:
    """Delete the pages in a folder, and the folder when nothing else is in it."""
    for page in folder.glob("*.html"):
        page.unlink()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _tidy(seconds: float) -> float:
    return round(seconds, 3)
