"""The score card of a conversion: every measure, its gates and what a picture needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

from autovoice.eval import groups, spoken
from autovoice.eval.cache import Cache, content_hash
from autovoice.eval.card import Card, Kind, Melody, Phrase, Words
from autovoice.eval.figure import Figure
from autovoice.eval.gates import judge, load_gates
from autovoice.eval.judges import LANES, Builders, Judges, Sound
from autovoice.eval.length import length_error_samples
from autovoice.eval.measures import MEASURES
from autovoice.eval.part import MOST_S, cut, most_active_part
from autovoice.eval.pitch import Curve, melody
from autovoice.eval.prepare import described, notes_of, prepared
from autovoice.types import Audio, FloatArray

# A recording of a voice sounds the same all through, and listening to it is the dearest measure.
SAMPLE_S = 10.0
_NOT_ASKED = "not asked for"
Score = TypeVar("Score")


@dataclass
class _Sheet:
    """A card in the making."""

    figures: dict[str, Figure] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    words: Words | None = None
    melody: Melody | None = None
    phrases: tuple[Phrase, ...] = ()
    notes: list[str] = field(default_factory=list)

    @contextmanager
    def timed(self, name: str, before_s: float = 0.0) -> Iterator[None]:
        begin_s = time.perf_counter() - before_s
        yield
        self.timings[name] = round(time.perf_counter() - begin_s, 4)


@dataclass(frozen=True, eq=False)
class _Case:
    """What is judged: the active parts; of a stored voice its embedding.

    ``sample`` is the part of the reference that is judged for naturalness.
    """

    output: Sound
    source: Sound
    reference: Sound | FloatArray
    sample: Sound | FloatArray
    kind: Kind = "song"
    semitones: float = 0.0
    language: str | None = None


class Scorer:
    """Judge conversions; networks are loaded when first needed and serve every card.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``, for the speaker encoder and DistillMOS. Default
            ``cpu``.
        threads: of all judges together but for PyTorch's. Default 0: as many as cores.
        words: transcribe source and output. Default on.
        naturalness: predict opinion scores. Default on.
        cache: what is known of sources and references, from card to card and from run to run.
            ``"user"`` for the one in the user's cache folder (default), None for none.
        builders: how the networks are made. Default: the project's own. What others find is not
            kept in the user's cache.
    """

    def __init__(
        self,
        *,
        device: str = "cpu",
        threads: int = 0,
        words: bool = True,
        naturalness: bool = True,
        cache: Cache | Literal["user"] | None = "user",
        builders: Builders | None = None,
    ) -> None:
        self.words, self.naturalness = words, naturalness
        kept = cache
        if kept == "user":
            kept = Cache() if builders is None else None
        self._judges = Judges(device, threads, kept, builders)
        self._gates = load_gates()

    def load(self) -> None:
        """Load the networks now instead of with the first card.

        Raises:
            WeightsError: weights cannot be had.
            AutoVoiceError: the ``eval`` extra is not installed.
        """
        self._judges.load(words=self.words, naturalness=self.naturalness)

    def card(
        self,
        output: Audio,
        source: Audio,
        reference: Audio | FloatArray,
        *,
        kind: Kind = "song",
        semitones: float = 0.0,
        language: str | None = None,
        most_s: float = MOST_S,
        names: tuple[str, str, str] = ("output", "source", "reference"),
    ) -> Card:
        """Judge one conversion.

        Every measure of ``measures.MEASURES`` is in the card, as a number or with the reason why
        there is none. Of long recordings the part in which the source is most active is judged;
        length is judged on the whole. Curves and phrases count seconds from the start of the part.
        How natural the reference sounds is judged on its most active 10 s.

        Args:
            output: the converted vocal, without backing.
            source: the vocal that it was made of.
            reference: a recording of the target of 3 s or more, or its speaker embedding,
                ``[256]``.
            kind: ``song`` (default), ``speech``, or ``copy`` for a voice converted to itself.
            semitones: the shift that was applied. Default 0.
            language: of the words, two or three letters. Default: detected in the source.
            most_s: length of the part, seconds. Default 60.
            names: what the card calls the three.

        Raises:
            InputError: the language is unknown to Whisper.
            WeightsError: weights cannot be had.
            AutoVoiceError: the ``eval`` extra is not installed.
        """
        begin_s, sheet = time.perf_counter(), _Sheet()
        output = prepared(output, "output", sheet.notes)
        source = prepared(source, "source", sheet.notes)
        if isinstance(reference, Audio):
            reference = prepared(reference, "reference", sheet.notes)
        span = most_active_part(source, most_s)
        sheet.notes.extend(notes_of(output, source, reference, span, most_s))
        # Asked the other way round, the answer is in samples of the output.
        sheet.figures["length_error_samples"] = Figure(float(-length_error_samples(source, output)))
        records = described(output, source, reference, names)
        case = _case(output, source, reference, span, most_s)
        self._measure(replace(case, kind=kind, semitones=semitones, language=language), sheet)
        sheet.timings["total"] = round(time.perf_counter() - begin_s, 4)
        return self._finished(Card(*records, kind, semitones, span, {}), sheet)

    def text_card(
        self,
        output: Audio,
        text: str,
        reference: Audio | FloatArray,
        *,
        language: str = "en",
        names: tuple[str, str] = ("output", "reference"),
    ) -> Card:
        """Judge speech that was made from text.

        What needs a source recording (melody, gaps, copies) is on the card with the reason why it
        has no number.

        Args:
            output: the speech; all of it is judged, so give a minute rather than a book.
            text: what was to be said in it; figures and abbreviations count as errors where
                Whisper writes them otherwise.
            reference: a recording of the voice of 3 s or more, or its speaker embedding, ``[256]``.
            language: of the text. Default ``en``.
            names: what the card calls output and reference.

        Raises:
            InputError: no text, or a language that is unknown to Whisper.
            WeightsError: weights cannot be had.
            AutoVoiceError: the ``eval`` extra is not installed.
        """
        begin_s, sheet = time.perf_counter(), _Sheet(figures=spoken.refusals())
        source = spoken.text_record(text)
        output = prepared(output, "output", sheet.notes)
        if isinstance(reference, Audio):
            reference = prepared(reference, "reference", sheet.notes)
        ours, _, wanted = described(output, output, reference, (names[0], "", names[1]))
        heard = spoken.Heard(
            self._judges, Sound(output), _part(reference, MOST_S), _part(reference, SAMPLE_S)
        )
        with sheet.timed("words"):
            found, sheet.words = heard.words(text, language, asked=self.words)
            sheet.figures |= found
        with sheet.timed("similarity"):
            sheet.figures |= heard.similarity()
        with sheet.timed("naturalness"):
            sheet.figures |= heard.opinions(asked=self.naturalness)
        with sheet.timed("level"):
            sheet.figures |= heard.levels()
        sheet.timings["total"] = round(time.perf_counter() - begin_s, 4)
        card = Card(ours, source, wanted, "text", 0.0, (0.0, output.seconds), {})
        return self._finished(card, sheet)

    def _finished(self, card: Card, sheet: _Sheet) -> Card:
        """Return the card with all that was found, figures in the order of the table."""
        figures = {each.key: sheet.figures[each.key] for each in MEASURES}
        return replace(
            card,
            figures=figures,
            gates=judge(figures, card.kind, self._gates),
            words=sheet.words,
            melody=sheet.melody,
            phrases=sheet.phrases,
            notes=tuple(sheet.notes),
            timings=sheet.timings,
        )

    def _measure(self, case: _Case, sheet: _Sheet) -> None:
        """Run the groups of measures.

        What keeps to its share of the cores goes side by side. PyTorch takes all of them, so its
        networks come after that: threads that wait for one another's turn would cost half as much
        again.
        """
        with ThreadPoolExecutor(max_workers=LANES) as pool:
            try:
                words = pool.submit(self._words, case, sheet)
                curves = [pool.submit(self._f0, each) for each in (case.source, case.output)]
                opinion = pool.submit(self._dnsmos, case, sheet)
                found = [each.result() for each in curves]
                words.result()
                opinion.result()
                signal = pool.submit(self._signal, case, sheet, *found)
                self._distillmos(case, sheet)
                self._similarity(case, sheet)
                signal.result()
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _f0(self, sound: Sound) -> tuple[Curve, float]:
        """Return the melody and the seconds that it took."""
        begin_s = time.perf_counter()
        return self._judges.f0_hz(sound), time.perf_counter() - begin_s

    def _signal(self, case: _Case, sheet: _Sheet, *found: tuple[Curve, float]) -> None:
        """Measure what needs no network: the melody first, which others build on."""
        ours, theirs = case.output.audio, case.source.audio
        (source_hz, source_s), (output_hz, output_s) = found
        with sheet.timed("pitch", source_s + output_s):
            curves = [output_hz, source_hz]
            score, sheet.melody = melody(ours, theirs, case.semitones, tracker=lambda _: curves)
            sheet.figures.update(groups.pitch(score, sheet.melody, groups.apart(ours, theirs)))
            sheet.notes.extend(groups.shift_notes(sheet.melody))
        with sheet.timed("phrases"):
            sheet.phrases = groups.phrases(ours, theirs, sheet.melody)
        with sheet.timed("gaps"):
            sheet.figures.update(groups.gaps(ours, theirs, sheet.melody.source_hz))
        with sheet.timed("level"):
            sheet.figures.update(groups.level(ours, theirs))
        with sheet.timed("copy"):
            sheet.figures.update(groups.copy(ours, theirs, case.kind))

    def _similarity(self, case: _Case, sheet: _Sheet) -> None:
        with sheet.timed("similarity"):
            embed = self._judges.embedding
            ours = groups.voice(case.output, embed, "output")
            theirs = groups.voice(case.source, embed, "source")
            wanted = groups.target(case.reference, embed)
            sheet.figures.update(groups.similarity(ours, theirs, wanted))

    def _words(self, case: _Case, sheet: _Sheet) -> None:
        if not self.words:
            sheet.figures.update(groups.refused(groups.keys("words"), _NOT_ASKED))
            return
        with sheet.timed("words"):
            # Whisper hears words in silence, and the same ones twice.
            if why_not := groups.unheard(case.output, case.source):
                sheet.figures.update(groups.refused(groups.keys("words"), why_not))
                return
            wanted = self._judges.transcripts(case.source, case.language)
            language = wanted[0].language or case.language
            heard = self._judges.transcripts(case.output, language)
            figures, sheet.words, notes = groups.words(heard, wanted)
            sheet.figures.update(figures)
            sheet.notes.extend(notes)

    def _distillmos(self, case: _Case, sheet: _Sheet) -> None:
        self._opinion(case, sheet, "distillmos", self._judges.distillmos, groups.distillmos)

    def _dnsmos(self, case: _Case, sheet: _Sheet) -> None:
        self._opinion(case, sheet, "dnsmos", self._judges.dnsmos, groups.dnsmos)

    def _opinion(
        self,
        case: _Case,
        sheet: _Sheet,
        name: str,
        score: Callable[[Sound], Score],
        group: Callable[[Callable[[str], Score]], groups.Figures],
    ) -> None:
        if not self.naturalness:
            sheet.figures.update(groups.refused(groups.keys("naturalness", name), _NOT_ASKED))
            return
        parts = {"output": case.output, "source": case.source, "reference": case.sample}
        with sheet.timed(name):
            sheet.figures.update(group(lambda which: score(groups.sound(parts[which], which))))


def _case(
    output: Audio,
    source: Audio,
    reference: Audio | FloatArray,
    span: tuple[float, float],
    most_s: float,
) -> _Case:
    """Cut out what is judged."""
    ours, theirs = cut(output, *span), cut(source, *span)
    return _Case(
        output=Sound(ours),
        source=Sound(theirs, content_hash(theirs)),
        reference=_part(reference, most_s),
        sample=_part(reference, min(most_s, SAMPLE_S)),
    )


def _part(reference: Audio | FloatArray, most_s: float) -> Sound | FloatArray:
    """Return what is judged of a reference."""
    if not isinstance(reference, Audio):
        return reference
    part = cut(reference, *most_active_part(reference, most_s))
    return Sound(part, content_hash(part))
