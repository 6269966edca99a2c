"""The order of the stages: separate, then pitch, words and loudness, convert, vocode, mix."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from autovoice.config import Preset
from autovoice.engine import devices
from autovoice.engine.carrying import LISTEN_HZ, MODEL_HZ, Carrier, Vocal, carrier_of
from autovoice.engine.chunks import (
    TICKS_PER_S,
    Chunk,
    curve_at,
    curve_between,
    per_tick,
    pitch_between,
    plan,
    window,
)
from autovoice.engine.pieces import Pieces
from autovoice.engine.progress import Reporter
from autovoice.engine.resampling import mono_at
from autovoice.engine.resident_stages import Mixed
from autovoice.engine.scratch import Scratch, relax
from autovoice.engine.separating import separate
from autovoice.engine.stages import Stages
from autovoice.errors import InputError, ResourceError
from autovoice.nn import residence
from autovoice.types import (
    Analysis,
    Audio,
    Content,
    FloatArray,
    RangeFit,
    Speaker,
    Stems,
)

log = logging.getLogger(__name__)
LISTEN_TICK = LISTEN_HZ // TICKS_PER_S
MODEL_TICK = MODEL_HZ // TICKS_PER_S
LEAST_CHUNK_S = 3.0


@dataclass
class Pipeline:
    """Run the stages over one song.

    Args:
        stages: who does the work.
        preset: how long pieces are.
        reporter: hears how far it is.
        seed: start of every random number, for each piece anew.
        scratch: where long arrays live.
        pieces: keeps converted pieces, so that a conversion that was broken off goes on from them.
    """

    stages: Stages
    preset: Preset
    reporter: Reporter
    seed: int = 0
    scratch: Scratch = field(default_factory=Scratch)
    pieces: Pieces | None = None
    notes: list[str] = field(default_factory=list)

    def separate(self, song: Audio, *, mixed: bool) -> Stems:
        """Take the vocals out of a mix, or leave an a cappella recording as it is."""
        with self.reporter.stage("separate"):
            with self.reporter.timed("load"):
                separator = self.stages.separator if mixed else self.stages.identity
            with self.reporter.timed("separate"):
                return separate(song, separator, self.scratch, self.reporter.at)

    def analyse(self, vocals: Audio) -> Vocal:
        """Find melody, loudness and activity of a vocal."""
        with self.reporter.stage("analyse"):
            ticks = max(TICKS_PER_S, math.ceil(vocals.seconds * TICKS_PER_S))
            with self.reporter.timed("load"):
                hearing = self.stages.resident.hearing
            if hearing is None or not hearing.fits(vocals):
                return self._analysed(vocals, ticks)
            with self.reporter.timed("hear"):
                heard = hearing.hear(vocals, ticks)
            return Vocal(
                ticks, heard.at_16k, heard.at_24k, heard.pitch, heard.energy, heard.activity,
                heard.gain,
            )  # fmt: skip

    def _analysed(self, vocals: Audio, ticks: int) -> Vocal:
        """Find all that by one stage after another, in a vocal of any length."""
        at_16k = mono_at(vocals, LISTEN_HZ, ticks * LISTEN_TICK, self.scratch)
        at_24k = mono_at(vocals, MODEL_HZ, ticks * MODEL_TICK, self.scratch)
        self.reporter.at(0.2)
        with self.reporter.timed("load"):
            tracker = self.stages.pitch
        with self.reporter.timed("pitch"):
            pitch = tracker.track(at_16k)
        self.reporter.at(0.7)
        with self.reporter.timed("loudness"):
            energy = self.stages.builders.energy(at_24k)
            activity = self.stages.builders.activity(at_16k, LISTEN_HZ, pitch)
        return Vocal(ticks, at_16k, at_24k, pitch, energy, activity)

    def fit(self, vocal: Vocal, speaker: Speaker, semitones: int | str) -> int:
        """Return the shift to apply, in semitones."""
        if isinstance(semitones, int):
            return semitones
        sung = vocal.sung
        if not (sung.f0_hz > 0).any() or speaker.f0_median_hz <= 0:
            self.notes.append("no pitch to fit the octave to: the melody is not shifted")
            return 0
        return int(self.stages.builders.fit(sung, speaker))

    def compare(self, vocal: Vocal, speaker: Speaker, semitones: int) -> RangeFit:
        """Say how the melody, moved by a shift, lies in the range of a voice."""
        return self.stages.builders.compare(vocal.sung, speaker, semitones)

    def convert(self, vocal: Vocal, speaker: Speaker, semitones: int) -> Audio:
        """Sing the vocal in another voice.

        When the device runs out of memory, pieces are halved, and at last the CPU takes over.

        Raises:
            ResourceError: memory ran out on the CPU too.
        """
        longest_s = self.preset.chunk_s
        carrier: Carrier | None = None
        out: FloatArray | None = None
        with self.reporter.stage("convert"):
            while True:
                device = self.stages.device
                try:
                    if out is None:
                        carrier = self._carrier(vocal, speaker, semitones)
                        own = [] if carrier is None or carrier.own is None else [carrier.own]
                        out = self.scratch.zeros(1 + len(own), vocal.ticks * MODEL_TICK)
                    self._fill(out, vocal, (speaker, *own), semitones, longest_s)
                    made = out if carrier is None else self._carried(out, vocal, carrier)
                    return Audio(made[:1], MODEL_HZ)
                except (RuntimeError, MemoryError, ResourceError) as error:
                    if not devices.out_of_memory(error):
                        raise
                    problem = str(error)
                # Outside of the handler, so that the failed try's tensors are let go of first.
                if self.stages.device == device:  # else another song has moved them meanwhile
                    longest_s = self._after_out_of_memory(longest_s, problem)
                if out is not None:
                    out[:] = 0

    def mix(self, converted: Audio, stems: Stems) -> Mixed:
        """Put the new vocal where the old one was."""
        with self.reporter.stage("mix"), self.reporter.timed("mix"):
            mixed = self._mixed(converted, stems)
        residence.release(stems.vocals.samples)  # whoever gets the stems may write to them
        wanted = stems.backing.samples.shape
        for result in (mixed.mix, mixed.vocal):
            if result.samples.shape != wanted:
                found = list(result.samples.shape)
                raise InputError(f"mix: found {found}, expected {list(wanted)}")
        return mixed

    def _mixed(self, converted: Audio, stems: Stems) -> Mixed:
        mixer = self.stages.resident.mixer
        if mixer is not None and mixer.fits(converted, stems):
            return mixer.mixdown(converted, stems)
        return self.stages.builders.mix(converted, stems, self.stages.device)

    def _fill(
        self,
        out: FloatArray,
        vocal: Vocal,
        speakers: Sequence[Speaker],
        semitones: int,
        longest_s: float,
    ) -> None:
        """Convert piece by piece and add to ``out``, ``[speakers, samples]`` at 24 kHz."""
        active = per_tick(vocal.activity, vocal.ticks)
        chunks = plan(
            vocal.ticks,
            longest=round(longest_s * TICKS_PER_S),
            context=math.ceil(self.preset.context_s * TICKS_PER_S),
            crossfade=self.preset.crossfade_s * TICKS_PER_S,
            activity=active,
        )
        heard = [chunk for chunk in chunks if active[chunk.left : chunk.right].any()]
        if self.pieces is not None:
            self.pieces.expect(len(heard))
        for chunk in chunks:
            if chunk in heard:
                samples = self._kept_piece(vocal, speakers, semitones, chunk)
                span = slice(chunk.left * MODEL_TICK, chunk.right * MODEL_TICK)
                out[:, span] += samples * window(chunk, MODEL_TICK)
                relax(out)
            self.reporter.at(chunk.stop / vocal.ticks)

    def _carrier(self, vocal: Vocal, speaker: Speaker, semitones: int) -> Carrier | None:
        """Where the melody stays, the source's own excitation may carry the new colour."""
        if semitones or not vocal.is_sung:
            return None
        with self.reporter.timed("carry"):
            return carrier_of(vocal, speaker, self.stages.encoders, own_pass=self.preset.own_pass)

    def _carried(self, converted: FloatArray, vocal: Vocal, carrier: Carrier) -> FloatArray:
        """Bring the colour of what was converted onto the source.

        Pauses are what they were in the vocal: muting them makes a recording sound cut up
        (DistillMOS -0.12 over five pairs, STOI of a copy 0.87 -> 0.57).

        Shape: ``[1 or 2, samples]`` at 24 kHz, the second in the source's own voice ->
        ``[1, samples]``.
        """
        own = converted[1] if len(converted) == 2 else None
        with self.reporter.timed("carry"):
            resident = self.stages.resident.carry
            if resident is not None and vocal.gain is not None and resident.fits(vocal.at_24k):
                both = vocal.at_24k, converted[0]
                near = carrier.nearness
                return resident.carry(*both, vocal.sung, vocal.gain, near, own=own)[None]
            made = self.scratch.zeros(1, converted.shape[1])
            carry = self.stages.builders.carry(self.stages.device)
            carry(vocal.at_24k, converted[0], vocal.sung, carrier.nearness, made[0], own=own)
            relax(made)
        return made

    def _kept_piece(
        self, vocal: Vocal, speakers: Sequence[Speaker], semitones: int, chunk: Chunk
    ) -> FloatArray:
        """Take a piece from where it was kept, or convert it and keep it."""
        if self.pieces is None:
            return self._piece(vocal, speakers, semitones, chunk)
        count, length = len(speakers), (chunk.right - chunk.left) * MODEL_TICK
        name = f"{chunk.left}-{chunk.right}-{semitones}" + ("-own" if count == 2 else "")
        samples = self.pieces.load(name)
        if samples is None or len(samples) != count * length:
            samples = self._piece(vocal, speakers, semitones, chunk).reshape(-1)
            self.pieces.save(name, samples)
        return samples.reshape(count, length)

    def _piece(
        self, vocal: Vocal, speakers: Sequence[Speaker], semitones: int, chunk: Chunk
    ) -> FloatArray:
        """Convert one piece with its context, ``[speakers, samples]`` at 24 kHz."""
        times = chunk.start_s, chunk.stop_s
        at_16k = vocal.at_16k[chunk.left * LISTEN_TICK : chunk.right * LISTEN_TICK]
        pitch, energy = pitch_between(vocal.pitch, *times), curve_between(vocal.energy, *times)
        activity = curve_between(vocal.activity, *times)
        length = (chunk.right - chunk.left) * MODEL_TICK
        factors = curve_at(activity, length, MODEL_HZ)
        with self.reporter.timed("load"):
            singer = self.stages.resident.singer
        if singer is not None and singer.fits(at_16k):
            with self.reporter.timed("sing"):
                curves, options = (pitch, energy), {"semitones": semitones, "seed": self.seed}
                return np.stack(
                    [singer.sing(at_16k, curves, factors, one, **options) for one in speakers]
                )
        content = self._words(at_16k)
        seconds = chunk.stop_s - chunk.start_s
        analysis = Analysis(pitch, content, energy, activity, seconds)
        sung = self._sung(analysis, speakers, semitones)
        return np.stack([_fitted(audio, length) * factors for audio in sung])

    def _words(self, at_16k: FloatArray) -> Content:
        with self.reporter.timed("words"):
            return self.stages.content.encode(at_16k)

    def _sung(self, analysis: Analysis, speakers: Sequence[Speaker], semitones: int) -> list[Audio]:
        """Say it once and sing it in each voice: only training changes what the decoder reads."""
        with self.reporter.timed("convert"):
            features = self.stages.converter.convert(analysis, speakers[0], semitones=semitones)
        with self.reporter.timed("vocode"):
            synthesise = self.stages.vocoder.synthesise
            return [synthesise(features, speaker, seed=self.seed) for speaker in speakers]

    def _after_out_of_memory(self, longest_s: float, problem: str) -> float:
        """Return the piece length for the next try, after moving to the CPU where need be."""
        device = self.stages.device
        log.info("pieces of %g s do not fit: %s", longest_s, problem)
        devices.release(device)
        if longest_s / 2 >= LEAST_CHUNK_S:
            self.notes.append(f"{device} ran out of memory: pieces of {longest_s / 2:g} s")
            log.warning(self.notes[-1])
            return longest_s / 2
        if device == "cpu":
            raise ResourceError(
                f"out of memory even with pieces of {longest_s:g} s ({problem}); "
                "close other programs"
            )
        self.notes.append(f"{device} ran out of memory: went on on the CPU")
        log.warning(self.notes[-1])
        self.stages.move("cpu")
        devices.release(device)
        return self.preset.chunk_s


def _fitted(audio: Audio, length: int) -> FloatArray:
    """Return mono samples of exactly ``length``: a frame more or less is cut or filled up."""
    samples = audio.samples[0]
    if audio.sample_rate_hz != MODEL_HZ or abs(len(samples) - length) > MODEL_TICK:
        raise InputError(
            f"vocoder: found {len(samples)} samples at {audio.sample_rate_hz} Hz, "
            f"expected {length} at {MODEL_HZ} Hz"
        )
    fitted: FloatArray = np.zeros(length, np.float32)
    fitted[: len(samples)] = samples[:length]
    return fitted
