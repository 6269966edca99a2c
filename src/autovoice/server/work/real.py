"""The project's own engine as a runner."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autovoice.errors import InputError, VoiceError
from autovoice.server.files import FileStore, folder_bytes
from autovoice.server.jobs.batches import Batches
from autovoice.server.jobs.records import SPEECH, SPOKEN_NOW, Observation, Outcome
from autovoice.server.settings import Settings
from autovoice.server.voicebank import VoiceBank
from autovoice.server.work.pieces import FolderPieces
from autovoice.server.work.runner import Desk, StickyDeviceError, Task, jobs_at_once, listener
from autovoice.server.work.speech import say_by_engine
from autovoice.types import Audio
from autovoice.voices.file import write_whole

if TYPE_CHECKING:
    from autovoice.analyse.speaker import SpeakerEncoder
    from autovoice.engine import Conversion, Engine
    from autovoice.voices import Encoders, Voice

PREVIEW_S = 6.0


@dataclass(frozen=True, eq=False)
class CheckedSamples:
    """What is left of recordings after looking at them.

    Args:
        audio: the usable parts, one after another.
        reports: what was found in each recording.
        speakers: whether more than one person is heard.
    """

    audio: Audio
    reports: Sequence[Mapping[str, Any]]
    speakers: bool


CheckSamples = Callable[[Sequence[Path], "Encoders"], CheckedSamples]


class EngineRunner:
    """One engine, its models loaded once.

    Args:
        settings: of the service.
        device: where it runs.
        store: the data folder.
        check: looks at recordings of a new voice.
        engine: to use; by default one is made on ``load``.
    """

    def __init__(
        self,
        settings: Settings,
        device: str,
        store: FileStore,
        check: CheckSamples,
        engine: Engine | None = None,
    ) -> None:
        self.device = device
        self._settings, self._store, self._check = settings, store, check
        self._voices = VoiceBank.of(settings)
        self._given = engine
        self._batches = Batches(lambda: self._engine.batch_sizes, "worker")
        # Of several jobs at once one loads what judges similarity, and one at a time what makes
        # cards, which is as large as the engine.
        self._ear_lock, self._card_lock = threading.Lock(), threading.Lock()

    def load(self) -> None:
        """Fetch missing weights; convert tones and say a word, which brings all models in."""
        if self._given is None:
            from autovoice import weights
            from autovoice.engine import Engine

            needed = dict.fromkeys((*weights.needed_by("convert"), *weights.needed_by("speak")))
            weights.pull([name for name in needed if weights.status(name).state != "ready"])
            self._given = Engine(self.device, self._settings.vram_bytes)
            # Where nothing is captured, songs beside one another find no more than one alone.
            on_gpu = self._given.device.startswith("cuda")
            most = jobs_at_once(self._settings.worker_jobs, self._given.device) if on_gpu else 1
            self._given.warm_up(self._settings.warm_up_s or (1.0,), most=most)
            self._given.speak("Hello.", "kumo")
        self._batches.fresh()  # what warmed it up was nobody's
        self.device = self._engine.device

    @property
    def _engine(self) -> Engine:
        if self._given is None:
            raise RuntimeError("load() comes before run()")
        return self._given

    def run(self, task: Task, desk: Desk) -> Outcome:
        """Do a job; see ``Runner.run``."""
        kinds = {
            "convert.song": self._convert,
            "voice.create": self._create,
            SPEECH: self._speak,
            SPOKEN_NOW: self._speak,
        }
        if task.kind not in kinds:
            raise InputError(f"job kind {task.kind!r}: expected one of {', '.join(kinds)}")
        try:
            outcome = kinds[task.kind](task, desk)
        except InputError as error:
            raise type(error)(_in_their_words(str(error), task)) from error
        except RuntimeError as error:
            if is_sticky(error, self._engine.device):
                raise StickyDeviceError(f"{self._engine.device}: {error}") from error
            raise
        return replace(outcome, observations=(*outcome.observations, *self._batches.fresh()))

    def _convert(self, task: Task, desk: Desk) -> Outcome:
        request, begun = task.request, time.perf_counter()
        voice = self._voices.find(str(request["voice"]), task.owner)
        conversion = self._engine.convert(
            task.inputs[0],
            voice,
            progress=listener(desk),
            cancel=desk.stopping,
            pieces=FolderPieces(task.pieces, desk),
            max_seconds=self._settings.max_audio_s,
            semitones=request["semitones"],
            separate=request["separate"],
            preset=request["preset"],
            seed=request["seed"],
        )
        conversion = self._scored(conversion, voice)
        files = self._written(task, conversion, voice)
        took_s, sound_s = time.perf_counter() - begun, conversion.audio.seconds
        result = {"files": files, **conversion.to_json()}
        write_whole(task.outputs / "report.json", json.dumps(result, allow_nan=False).encode())
        return Outcome(
            result,
            bytes=folder_bytes(task.folder),
            audio_s=sound_s,
            observations=(
                Observation("job_realtime_factor", task.kind, took_s / max(sound_s, 1e-3)),
                *(
                    Observation("job_stage_duration_seconds", f"{task.kind}|{stage}", seconds)
                    for stage, seconds in conversion.timings.items()
                    if stage != "total"
                ),
            ),
        )

    def _scored(self, conversion: Conversion, voice: Voice) -> Conversion:
        from autovoice.eval.summary import score

        with self._ear_lock:
            ear = self._ear
        judge = partial(score, encoder=ear)
        return conversion.scored_by(judge, voice.speaker.embedding)

    @cached_property
    def _ear(self) -> SpeakerEncoder:
        """What judges similarity, loaded once and not for each song."""
        from autovoice.analyse.speaker import SpeakerEncoder

        return SpeakerEncoder()

    def _written(self, task: Task, conversion: Conversion, voice: Voice) -> dict[str, str]:
        """Write what was asked for, and return where it is, from the job's folder on."""
        outputs = task.outputs
        paths = {"cover": conversion.save(outputs / f"cover.{task.request['format']}")}
        if task.request["stems"]:
            stems = conversion.save_stems(outputs)
            paths.update({f"stems/{name}": path for name, path in stems.items()})
        if task.request["card"]:
            paths["card"] = self._card(task, conversion, voice)
        return {key: str(path.relative_to(task.folder)) for key, path in paths.items()}

    def _card(self, task: Task, conversion: Conversion, voice: Voice) -> Path:
        from autovoice.eval.report import write_card
        from autovoice.eval.scorer import Scorer

        output, source = conversion.stems.converted, conversion.stems.vocals
        song = str(task.request.get("name", "song"))
        names = (f"{song} by {voice.name}", song, voice.name)
        with self._card_lock:
            card = Scorer(device=self._engine.device).card(
                output, source, voice.embedding, semitones=conversion.semitones, names=names
            )
        return write_card(card, task.outputs, "card", output=output, source=source, reference=None)

    def _speak(self, task: Task, desk: Desk) -> Outcome:
        voice = self._voices.find(str(task.request["voice"]), task.owner)
        return say_by_engine(self._engine, voice, task, desk)

    def _create(self, task: Task, desk: Desk) -> Outcome:
        from autovoice.voices import encoders_on, make_voice

        encoders = encoders_on(self._engine.device)
        desk.progress("check", 0.0, 0.0)
        checked = self._check(task.inputs, encoders)
        reports = [_named(report, task) for report in checked.reports]
        if checked.speakers:
            told = next(one for one in reports if "speaker" in " ".join(one["problems"]))
            raise VoiceError(
                f"{told['name']}: more than one person is heard, expected the one who agreed; "
                "give recordings of that person alone"
            )
        desk.progress("make", 0.0, 0.4)
        request = task.request
        voice = make_voice(
            checked.audio,
            encoders=encoders,
            name=str(request["name"]),
            description=str(request["description"]),
            consent=str(request["consent"]),
            licence=str(request["licence"]),
        )
        desk.progress("preview", 0.0, 0.6)
        self._preview(task, voice, checked.audio, desk)
        self._keep(task, voice)
        record = voice.header.model_dump(mode="json", exclude={"training"})
        return Outcome({"voice": record, "recordings": reports}, audio_s=checked.audio.seconds)

    def _preview(self, task: Task, voice: Voice, audio: Audio, desk: Desk) -> None:
        length = int(PREVIEW_S * audio.sample_rate_hz)
        cut = Audio(audio.samples[:, :length], audio.sample_rate_hz)
        heard = self._engine.convert(cut, voice, cancel=desk.stopping, separate=False)
        heard.save(self._voices.preview(voice.name, task.owner))

    def _keep(self, task: Task, voice: Voice) -> None:
        """Keep the voice; a job that died after this replaces its own voice, never another's."""
        mark = task.folder / "voice-kept"
        store = self._voices.own(task.owner)
        is_ours = mark.is_file()
        store.check_free(voice.name, replace=is_ours)
        write_whole(mark, b"")
        store.save(voice, replace=is_ours)


def is_sticky(error: RuntimeError, device: str) -> bool:
    """Tell whether an error leaves the CUDA context of this process unusable."""
    words = str(error)
    out_of_memory = "out of memory" in words and "CUDA error" not in words
    return device.startswith("cuda") and "CUDA" in words and not out_of_memory


def _named(report: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """Return a report under the name that people know."""
    shown = {str(path): name for path, name in _shown_names(task)}
    words = [_in_their_words(str(one), task) for one in report["advice"]]
    return {**report, "name": shown.get(str(report["name"]), "recording"), "advice": words}


def _shown_names(task: Task) -> Sequence[tuple[Path, str]]:
    names = task.request.get("files") or [task.request.get("name", "song")]
    return list(zip(task.inputs, map(str, names), strict=False))


def _in_their_words(words: str, task: Task) -> str:
    """Return a message with the names that people gave; files lie under random ones."""
    for path, name in _shown_names(task):
        words = words.replace(str(path), name).replace(path.name, name)
    return words
