"""The engine: stages that are built once and serve many calls."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from autovoice.config import ConvertOptions, options_from, parse_bytes, preset
from autovoice.engine import devices
from autovoice.engine.live.session import LiveSession, open_session
from autovoice.engine.load import Song, load_song
from autovoice.engine.pieces import Pieces
from autovoice.engine.pipeline import MODEL_HZ, Pipeline
from autovoice.engine.progress import Cancel, Listener, Reporter
from autovoice.engine.results import Conversion, ConversionStems, Speech
from autovoice.engine.scratch import Scratch
from autovoice.engine.stages import Builders, Stages
from autovoice.engine.talk import Talk, Text
from autovoice.engine.turns import Turns
from autovoice.errors import ResourceError
from autovoice.types import Audio
from autovoice.voices import Resolver, Voice, VoiceStore, check_base

log = logging.getLogger(__name__)
STAGES = ("read", "separate", "analyse", "convert", "mix")


class Engine:
    """Convert songs and speak texts; networks stay loaded from call to call.

    One conversion runs at a time; calls from several threads wait for one another.

    Args:
        device: ``auto`` (a GPU when one works), ``cpu``, ``cuda`` or ``cuda:N``. Default ``auto``.
        vram_bytes: cap on GPU memory, bytes or text such as ``4G``. Default: no cap.
        data_dir: folder of stored voices. Default: the user's (``AUTOVOICE_DATA_DIR``).
        builders: how each stage is made. Default: the project's own.
        scratch: where arrays for long songs live.

    Raises:
        InputError: the device or the cap makes no sense.
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
    ) -> None:
        self.choice = devices.choose(device)
        self.vram_bytes = None if vram_bytes is None else parse_bytes(vram_bytes)
        devices.cap_memory(self.choice.device, self.vram_bytes)
        self._stages = Stages(self.choice.device, builders or Builders())
        self._scratch = scratch or Scratch()
        self._turns = Turns()
        self.store = VoiceStore.default(data_dir)
        self._resolver = Resolver(self.store, lambda: self._stages.encoders)
        log.info("device %s: %s", self.choice.device, self.choice.reason)

    @property
    def device(self) -> str:
        """Where the networks run now."""
        return self._stages.device

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
        reporter = Reporter(STAGES, listener=progress, cancel=self._between_pieces(cancel))
        with self._turns.batch(), _memory_errors(), reporter.timed("total"), self._seeded():
            pipeline = self._pipeline(wanted, reporter, pieces)
            with reporter.stage("read"), reporter.timed("read"):
                target = self.voice(voice)
                audio = load_song(song, self._scratch, max_seconds)
            stems = pipeline.separate(audio, mixed=wanted.separate)
            vocal = pipeline.analyse(stems.vocals)
            semitones = pipeline.fit(vocal, target.speaker, wanted.semitones)
            fit = pipeline.compare(vocal, target.speaker, semitones)
            cover = pipeline.mix(pipeline.convert(vocal, target.speaker, semitones), stems)
        return Conversion(
            audio=Audio(cover.mix.samples, cover.mix.sample_rate_hz, audio.metadata),
            stems=ConversionStems(stems.vocals, stems.backing, cover.vocal),
            semitones=semitones,
            voice=target.name,
            device=self.device,
            timings=dict(reporter.timings),
            notes=tuple(pipeline.notes),
            range=fit,
        )

    def _pipeline(
        self, wanted: ConvertOptions, reporter: Reporter, pieces: Pieces | None
    ) -> Pipeline:
        chosen = preset(wanted.preset)
        self._stages.mixed_precision = chosen.mixed_precision and self.device != "cpu"
        return Pipeline(self._stages, chosen, reporter, wanted.seed, self._scratch, pieces=pieces)

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
        return Talk(
            self._turn,
            text,
            self.voice(voice),
            speed=speed,
            language=language,
            lexicon=lexicon,
            **_of_a_call(options),
        )

    def session(self, voice: str | Path | Voice | Audio, **options: Any) -> LiveSession:
        """Open a live session: sound in, as much out in another voice, a fixed time later.

        Sessions share the networks and take turns; they go before songs, which give way between
        their pieces. Opening one converts a tone, which loads the networks and tells in
        ``notes`` when this machine will not keep up.

        Args:
            voice: built-in name, stored profile, ``.voice`` file, recording or ``Voice``.
            options: see ``LiveOptions``; ``warm_up=False`` leaves the tone out.

        Raises:
            InputError: an option or the voice cannot be used.
            WeightsError: weights are missing.
            ResourceError: memory ran out.
        """
        return open_session(self._live_turn, self._stages, self.voice, voice, options)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[Stages]:
        """Have the networks for one piece of work."""
        with self._turns.batch(), _memory_errors(), self._seeded():
            yield self._stages

    @contextlib.contextmanager
    def _live_turn(self) -> Iterator[Stages]:
        """Have the networks for one window of live sound, before all songs that wait."""
        with self._turns.live(), _memory_errors():
            precision = self._stages.mixed_precision
            self._stages.mixed_precision = self.device != "cpu"
            try:
                yield self._stages
            finally:
                self._stages.mixed_precision = precision

    def _between_pieces(self, cancel: Cancel | None) -> Cancel:
        """Return what a conversion asks between its pieces; live sound goes first there."""

        def asked() -> bool:
            self._turns.give_way()
            return cancel is not None and cancel()

        return asked

    @contextlib.contextmanager
    def _seeded(self) -> Iterator[None]:
        """Keep the caller's random state out of the work, and the work out of it."""
        import torch

        index = [torch.device(self.device).index or 0] if self.device != "cpu" else []
        with torch.random.fork_rng(devices=index):
            yield


def _of_a_call(options: dict[str, Any]) -> dict[str, Any]:
    """Keep out what belongs to the engine and cannot change from call to call."""
    from autovoice.errors import InputError

    for key in ("device", "vram_bytes"):
        if key in options:
            raise InputError(f"option {key!r} belongs to Engine(...), not to a single call")
    return options


@contextlib.contextmanager
def _memory_errors() -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise ResourceError(
            "out of memory; close other programs, use --preset fast, or cut the song"
        ) from error
