"""The engine: stages that are built once and serve many calls."""

from __future__ import annotations

import contextlib
import logging
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from autovoice.config import (
    ConvertOptions,
    Preset,
    format_bytes,
    options_from,
    parse_bytes,
    preset,
    sing_options_from,
)
from autovoice.engine import devices, memory
from autovoice.engine.batching import Batcher, Call, DeviceScheduler, Gate, Priority, calling
from autovoice.engine.carrying import MODEL_HZ
from autovoice.engine.live.session import LiveSession, open_session
from autovoice.engine.load import LONG_S, Song, load_song, rough_seconds
from autovoice.engine.machine import usable_cores
from autovoice.engine.pieces import Pieces
from autovoice.engine.pipeline import Pipeline
from autovoice.engine.progress import Cancel, Listener, Reporter
from autovoice.engine.results import Conversion, ConversionStems, Performance, Speech
from autovoice.engine.scratch import Scratch
from autovoice.engine.singing import Singing, perform
from autovoice.engine.stages import Builders, Stages
from autovoice.engine.talk import Talk, Text
from autovoice.engine.warming import warm_up
from autovoice.errors import InputError, ResourceError
from autovoice.types import Audio
from autovoice.voices import Resolver, Voice, VoiceStore, check_base

log = logging.getLogger(__name__)
# So many calls of 1 s fill a batch twice; the arrays of each are small.
MOST_ON_GPU = 128
STAGES = ("read", "separate", "analyse", "convert", "mix")


class Engine:
    """Convert songs and speak texts; networks stay loaded from call to call.

    Calls from several threads run at the same time: pieces of all of them go through the networks
    in turn, those of one kind together. A call's result does not depend on what runs beside it.

    Args:
        device: ``auto`` (the GPU with the most free memory, where one works), ``cpu``, ``cuda`` or
            ``cuda:N``. Default ``auto``.
        vram_bytes: cap on GPU memory, bytes or text such as ``4G``. Default: no cap.
        data_dir: folder of stored voices. Default: the user's (``AUTOVOICE_DATA_DIR``).
        builders: how each stage is made. Default: the project's own.
        scratch: where arrays for long songs live.
        max_concurrent: conversions at the same time, at least 1; more wait in line, and songs of
            over half a minute leave half of the places to shorter ones. Default: twice the cores
            on the CPU, 128 on a GPU.

    Raises:
        InputError: the device, the cap or ``max_concurrent`` makes no sense.
        ResourceError: the GPU that was asked for cannot be used.
    """

    def __init__(
        self,
        device: str = "auto",
        vram_bytes: int | str | None = None,
        *,
        data_dir: str | Path | None = None,
        builders: Builders | None = None,
        scratch: Scratch | None = None,
        max_concurrent: int | None = None,
    ) -> None:
        self.choice = devices.choose(device)
        self.vram_bytes = None if vram_bytes is None else parse_bytes(vram_bytes)
        devices.cap_memory(self.choice.device, self.vram_bytes)
        self._gate = Gate(_places(max_concurrent, self.choice.device))
        # None of these holds the engine, so that one that is let go of is freed, thread and all.
        stages = Stages(self.choice.device, builders or Builders())
        self._stages, self._room = stages, memory.Room(lambda: stages.device, self.vram_bytes)
        self._batcher = Batcher(
            f"autovoice {self.choice.device}",
            budget_bytes=self._room,
            out_of_memory=devices.out_of_memory,
            release=lambda: devices.release(stages.device),
            begin=partial(devices.make_current, self.choice.device),
        )
        stages.scheduler = DeviceScheduler(self._batcher, self._room.cost_bytes)
        stages.pass_bytes = self._room.pass_bytes
        weakref.finalize(self, self._batcher.stop)
        self._scratch = scratch or Scratch()
        self.store = VoiceStore.default(data_dir)
        self._resolver = Resolver(self.store, lambda: stages.encoders)
        log.info("device %s: %s", self.choice.device, self.choice.reason)

    @property
    def device(self) -> str:
        """Where the networks run now."""
        return self._stages.device

    @property
    def batch_sizes(self) -> dict[int, int]:
        """How many passes through the networks had each number of pieces, so far."""
        return dict(self._batcher.tally.sizes)

    @property
    def stages(self) -> Stages:
        """The networks, for measurements; nobody else may use the engine meanwhile."""
        return self._stages

    def warm_up(
        self, seconds: Sequence[float] = (1.0,), *, most: int | None = None, voice: str = "kumo"
    ) -> dict[str, float]:
        """Convert tones, so that the first calls find all loaded and their graphs captured.

        What this process holds then is left out of Python's collections of garbage.

        Args:
            seconds: lengths that are to come; on a GPU a length counts to 100 ms.
            most: songs at once; smaller batches follow, down to one. Default: on a GPU what may be
                inside at once, on the CPU one, as nothing is captured there.
            voice: who sings.

        Returns:
            Seconds by size and length, in order.

        Raises:
            InputError: a length or ``most`` makes no sense.
        """
        singer = self.voice(voice)
        if most is None:
            most = 1 if self.device == "cpu" else self._gate.most
        if most < 1:
            raise InputError(f"warm-up: found {most} songs at once, expected at least one")

        def places(length: float) -> int:
            return min(most, self._gate.most_long if length > LONG_S else self._gate.most)

        def convert(song: Audio, ready: Listener) -> None:
            self.convert(song, singer, semitones=0, progress=ready)

        return warm_up(convert, self._batcher, seconds, places)

    def voice(self, voice: str | Path | Voice | Audio) -> Voice:
        """Find a voice: built-in name, stored profile, ``.voice`` file, or a recording.

        Raises:
            VoiceError: nothing of that name exists (the message lists what does), or the voice
                was trained for another voice model.
        """
        return check_base(self._resolver.resolve(voice))

    def convert(
        self,
        song: Song,
        voice: str | Path | Voice | Audio,
        *,
        progress: Listener | None = None,
        cancel: Cancel | None = None,
        pieces: Pieces | None = None,
        max_seconds: float | None = None,
        **options: Any,
    ) -> Conversion:
        """Sing a song in another voice.

        Args:
            song: a path, ``Audio``, or ``(samples [C, T], sample_rate_hz)``.
            voice: built-in name, stored profile, ``.voice`` file, recording or ``Voice``.
            progress: gets a ``Progress`` now and then. Default: nobody.
            cancel: asked between pieces; True stops with ``Cancelled``. Default: never.
            pieces: keeps converted pieces of this very call, to go on from after a crash.
            max_seconds: longest song that is decoded. Default: see ``autovoice.io.read``.
            options: ``semitones``, ``separate``, ``preset`` and ``seed``: see ``ConvertOptions``.

        Raises:
            InputError: the song, the voice or an option cannot be used.
            WeightsError: weights are missing.
            ResourceError: memory or disk ran out.
            Cancelled: the caller asked to stop.
        """
        wanted = options_from(_of_a_call(options))
        reporter = Reporter(STAGES, listener=progress, cancel=cancel)
        chosen, notes = self._fitted(preset(wanted.preset))
        call = Call(cancel=cancel, mixed_precision=chosen.mixed_precision)
        place = self._gate.enter(is_long=rough_seconds(song) > LONG_S, cancel=cancel)
        with place, self._turn(call), reporter.timed("total"):
            pipeline = Pipeline(
                self._stages, chosen, reporter, wanted.seed, self._scratch, pieces, notes
            )
            with reporter.stage("read"), reporter.timed("read"):
                target = self.voice(voice)
                audio = load_song(song, self._scratch, max_seconds)
            made = self._run(pipeline, audio, target, wanted)
        return replace(made, timings=dict(reporter.timings), device=self.device)

    def _fitted(self, chosen: Preset) -> tuple[Preset, list[str]]:
        """Return a preset whose pieces fit under the cap, and what to say about it."""
        most = self._room.pass_bytes()
        fitting = chosen if most is None else memory.fitted(chosen, most, self._room.needs)
        if fitting is chosen or self.vram_bytes is None:
            return chosen, []
        cap = format_bytes(self.vram_bytes)
        return fitting, [f"pieces of {fitting.chunk_s:g} s, to stay under {cap} of GPU memory"]

    def _run(
        self, pipeline: Pipeline, audio: Audio, voice: Voice, wanted: ConvertOptions
    ) -> Conversion:
        """Run all stages over a song that was read."""
        speaker = voice.speaker
        stems = pipeline.separate(audio, mixed=wanted.separate)
        vocal = pipeline.analyse(stems.vocals)
        semitones = pipeline.fit(vocal, speaker, wanted.semitones)
        fit = pipeline.compare(vocal, speaker, semitones)
        cover = pipeline.mix(pipeline.convert(vocal, speaker, semitones), stems)
        return Conversion(
            audio=Audio(cover.mix.samples, cover.mix.sample_rate_hz, audio.metadata),
            stems=ConversionStems(stems.vocals, stems.backing, cover.vocal),
            semitones=semitones,
            voice=voice.name,
            device=self.device,
            timings={},
            notes=tuple(pipeline.notes),
            range=fit,
        )

    def speak(
        self, text: Text, voice: str | Path | Voice | Audio, *, speed: float = 1.0,
        language: str = "en-us", lexicon: Mapping[str, str] | None = None, **options: Any,
    ) -> Speech:  # fmt: skip
        """Say a text in a voice; see ``speak_stream`` for what may be asked.

        Returns:
            24 kHz mono. A book does not fit into memory so: use ``speak_stream``.

        Raises:
            AutoVoiceError: see ``speak_stream``.
        """
        target = self.voice(voice)
        talk = self.speak_stream(
            text, target, speed=speed, language=language, lexicon=lexicon, **options
        )
        pieces = [piece.samples for piece in talk]
        return Speech(
            np.concatenate(pieces, axis=1),
            MODEL_HZ,
            voice=target.name,
            device=self.device,
            sentences=len(pieces),
            timings=dict(talk.timings),
            notes=talk.notes,
        )

    def speak_stream(
        self, text: Text, voice: str | Path | Voice | Audio, *, speed: float = 1.0,
        language: str = "en-us", lexicon: Mapping[str, str] | None = None, **options: Any,
    ) -> Talk:  # fmt: skip
        """Say a text in a voice, sentence by sentence: each is there before the next is begun.

        Pieces follow one another without a click, and end with their pauses. Memory does not grow
        with the text. Between pieces the engine is free for other calls.

        Args:
            text: text, or lines of it, which are read as they are needed.
            voice: built-in name, stored profile, ``.voice`` file, recording or ``Voice``.
            speed: factor on the rate of speech, 0.5 to 2; the pitch stays. Default 1.
            language: of the text. Default ``en-us``.
            lexicon: phonemes of words, in Kokoro's alphabet. Default none.
            options: ``ssml`` (None: look) and ``seed`` (0), see ``SpeakOptions``; ``skip``: so many
                sentences were spoken before (0); ``progress`` and ``cancel`` as for ``convert``.

        Yields:
            ``Audio``, 24 kHz mono.

        Raises:
            InputError: the text, the voice or an option cannot be used.
            WeightsError: weights are missing.
            ResourceError: memory ran out.
            Cancelled: the caller asked to stop.
        """
        call = Call(cancel=options.get("cancel"))
        return Talk(
            partial(self._turn, call),
            text,
            self.voice(voice),
            speed=speed,
            language=language,
            lexicon=lexicon,
            **_of_a_call(options),
        )

    def sing(
        self, score: str | Path, voice: str | Path | Voice | Audio, *, lyrics: str | None = None,
        lexicon: Mapping[str, str] | None = None, backing: Song | None = None,
        progress: Listener | None = None, cancel: Cancel | None = None, **options: Any,
    ) -> Performance:  # fmt: skip
        """Sing a score in a voice.

        Args:
            score: a MusicXML (.musicxml, .mxl, .xml) or MIDI (.mid, .kar) file.
            voice: built-in name, stored profile, ``.voice`` file, recording or ``Voice``.
            lyrics: words in the place of those of the score. Default: the score's.
            lexicon: phonemes of words, in Kokoro's alphabet. Default none.
            backing: what it is mixed with, from the first beat on. Default: nothing.
            progress, cancel: as for ``convert``.
            options: ``language``, ``part``, ``semitones`` and more, see ``SingOptions``.

        Raises:
            InputError: the score, its words, the voice or an option cannot be used.
            WeightsError: weights are missing.
            ResourceError: memory or disk ran out.
            Cancelled: the caller asked to stop.
        """
        wanted = sing_options_from(_of_a_call(options))
        target = self.voice(voice)
        song = None if backing is None else load_song(backing, self._scratch, None)
        stages = ("sing",) if song is None else ("sing", "mix")
        reporter = Reporter(stages, listener=progress, cancel=cancel)
        with self._turn(Call(cancel=cancel)) as built, reporter.timed("total"):
            singing = Singing(built, target.speaker, reporter, seed=wanted.seed, options=wanted,
                              scratch=self._scratch)  # fmt: skip
            done = perform(singing, score, song, text=lyrics, lexicon=lexicon)
        return replace(done, voice=target.name, device=self.device, timings=dict(reporter.timings))

    def session(self, voice: str | Path | Voice | Audio, **options: Any) -> LiveSession:
        """Open a live session: sound in, as much out in another voice, a fixed time later.

        Sessions share the networks; their windows go before the pieces of songs. Opening one
        converts a tone, which loads the networks and tells in ``notes`` when this machine will not
        keep up.

        Args:
            voice: built-in name, stored profile, ``.voice`` file, recording or ``Voice``.
            options: see ``LiveOptions``; ``warm_up=False`` leaves the tone out, ``warm_up=64``
                prepares a GPU for so many sessions like this one, which takes seconds.

        Raises:
            InputError: an option or the voice cannot be used.
            WeightsError: weights are missing.
            ResourceError: memory ran out.
        """
        return open_session(self._live_turn, self._stages, self.voice, voice, options)

    @contextlib.contextmanager
    def _turn(self, call: Call | None = None) -> Iterator[Stages]:
        """Have the networks for one piece of work; all that runs inside belongs to ``call``."""
        call = call or Call()
        with self._batcher.open_call(call.priority), calling(call):
            try:
                yield self._stages
            except MemoryError as error:
                raise ResourceError(
                    "out of memory; close other programs, use --preset fast, or cut the song"
                ) from error

    def _live_turn(self) -> contextlib.AbstractContextManager[Stages]:
        """Have the networks for one window of live sound, before all songs that wait."""
        return self._turn(Call(priority=Priority.LIVE))


def _places(wanted: int | None, device: str) -> int:
    if wanted is None:
        return MOST_ON_GPU if device != "cpu" else 2 * usable_cores()
    if not isinstance(wanted, int) or wanted < 1:
        raise InputError(f"max_concurrent: found {wanted!r}, expected a whole number from 1")
    return wanted


def _of_a_call(options: dict[str, Any]) -> dict[str, Any]:
    """Keep out what belongs to the engine and cannot change from call to call."""
    for key in ("device", "vram_bytes"):
        if key in options:
            raise InputError(f"option {key!r} belongs to Engine(...), not to a single call")
    return options
