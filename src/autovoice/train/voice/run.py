"""From recordings to a trained voice in the store."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import torch

from autovoice.analyse.loudness import level_gain
from autovoice.errors import VoiceError
from autovoice.train.voice import kept
from autovoice.train.voice import state as states
from autovoice.train.voice.judge import Judge, worth
from autovoice.train.voice.learner import Learner, as_adapter, weakened
from autovoice.train.voice.loop import Report, Settings, Trainer
from autovoice.train.voice.material import Item, curves, prepare, whole
from autovoice.train.voice.request import Request
from autovoice.train.voice.scan import Scan, samples_of, scan
from autovoice.train.voice.slices import Slice, hold_out
from autovoice.train.voice.state import State
from autovoice.train.voice.strangers import Clip, strangers
from autovoice.train.voice.tools import Tools
from autovoice.types import Audio, FloatArray
from autovoice.voices import TrainingRecord, Voice, VoiceStore, make_voice
from autovoice.voices.file import to_bytes
from autovoice.voices.make import BASE_MODEL_SHA256
from autovoice.voices.profile import TRAINED_FORMAT_VERSION

LARGEST_BYTES = 10_000_000
# How much of what was trained is applied: what serves held-out sound best. Half of it often keeps
# most of the voice and more of the words.
STRENGTHS = (0.75, 0.5)
# Scores after training: those, the untrained voice, the kept one, the recordings, and room.
_CLOSING = len(STRENGTHS) + 4
_STYLE_S = 60.0
# Told: the stage, the share of it that is done, the seconds left of it at most, and a few words.
Listener = Callable[[str, float, float | None, str], None]


@dataclass(eq=False)
class Trained:
    """What came of it.

    Args:
        voice: as it is stored.
        path: where.
        scan: what was found in the recordings.
        record: of the training; kept in the voice only if it gained.
        gained: the trained state is better than the untrained voice.
        resumed_at: step at which an interrupted training went on; 0 for a new one.
        notes: what else is worth telling.
    """

    voice: Voice
    path: Path
    scan: Scan
    record: TrainingRecord
    gained: bool
    resumed_at: int = 0
    notes: list[str] = field(default_factory=list)


def _silent(_stage: str, _done: float, _left_s: float | None, _text: str) -> None:
    pass


def train_voice(
    request: Request,
    store: VoiceStore,
    *,
    tools: Tools | None = None,
    listener: Listener = _silent,
) -> Trained:
    """Train a voice and keep it in ``store``; an interrupted training of the same goes on.

    Raises:
        VoiceError: the name is taken by a trained voice, or too little can be used.
        WeightsError: weights are missing.
        KeyboardInterrupt: the state is saved; the same call goes on.
    """
    begin = time.monotonic()
    _check_name(store, request)
    run = _Run(request, store, tools or Tools.of(request), listener, begin)
    with _tensor_cores():
        return run.whole()


@contextlib.contextmanager
def _tensor_cores() -> Iterator[None]:
    """Round the products of float32 matrices to TF32 on a GPU, as training the base model does."""
    products = torch.backends.cuda.matmul
    usual = products.allow_tf32
    products.allow_tf32 = True
    try:
        yield
    finally:
        products.allow_tf32 = usual


def _check_name(store: VoiceStore, request: Request) -> None:
    """Refuse to overwrite what took time to train, before any work."""
    path = store.path(request.name)
    trained = path.is_file() and bool(store.load(request.name).adapter)
    store.check_free(request.name, replace=request.force or not trained)


@dataclass(eq=False)
class _Run:
    """One training from beginning to end."""

    request: Request
    store: VoiceStore
    tools: Tools
    listener: Listener
    begin: float

    def whole(self) -> Trained:
        """Scan, prepare, train, score, keep."""
        folder = self.store.folder.parent / "training" / self.request.name
        self._scan()
        zero_shot = self._zero_shot()
        state = self._state(folder)
        resumed_at = state.step
        items = kept.load(folder, state.key)
        if items is None:
            items = [*self._prepare(), *self._strangers(zero_shot)]
            kept.save(items, folder, state.key)
        own, held, others, held_others = self._parted(items)
        learner = Learner(
            self.tools.parts, zero_shot.style, rank=self.tools.plan.rank, seed=self.request.seed
        )
        try:
            reference = np.concatenate([self.pieces[one] for one in self.trained])
            judge = Judge(held, reference, self.tools.ear, held_others)
            trainer = Trainer(
                learner,
                own,
                judge,
                self._settings(),
                state,
                others=others,
                folder=folder,
                listener=self._tell,
            )
            state = trainer.run()
            strength = self._weaken(state, learner, judge)
            record = self._record(state, learner, judge, strength)
        finally:
            learner.close()
        result = self._keep(zero_shot, state, record)
        result.resumed_at = resumed_at
        shutil.rmtree(folder, ignore_errors=True)
        return result

    def _scan(self) -> None:
        """Look at the recordings; set what is trained on, what is held out, and their sound."""
        plan = self.tools.plan
        self.scanned = scan(
            list(self.request.files),
            self.tools.encoders,
            on_file=lambda done, count: self.listener("scan", done / count, None, ""),
        )
        trained, held = hold_out(self.scanned.slices, self.request.seed)
        self.trained, self.held = _within(trained, plan.train_s), _within(held, plan.held_s)
        self.pieces = {
            one: _levelled(self.scanned, one, plan.ticks) for one in (*self.trained, *self.held)
        }

    def _zero_shot(self) -> Voice:
        """Make the untrained voice, of what is learnt from alone."""
        request, store = self.request, self.store
        joined = np.concatenate([self.pieces[one] for one in self.trained])
        made = make_voice(
            Audio(joined[None, : int(_STYLE_S * 24_000)], 24_000),
            encoders=self.tools.encoders,
            name=request.name,
            description=request.description,
            consent=request.consent,
            licence=request.licence,
        )
        facts: dict[str, object] = {
            "sample_count": len(request.files),
            "seconds_used": round(self.scanned.seconds, 3),
        }
        if store.path(request.name).is_file():
            old = store.load(request.name).header
            facts |= {
                key: getattr(old, key)
                for key in ("description", "consent", "consent_date", "licence")
                if not getattr(made.header, key)
            }
        return replace(made, header=made.header.model_copy(update=facts))

    def _state(self, folder: Path) -> State:
        """Return where an interrupted training of the same recordings stopped, or a fresh state."""
        key = hashlib.sha256()
        for file in self.request.files:
            key.update(hashlib.sha256(file.read_bytes()).digest())
        facts = [
            self.request.seed,
            self.request.kind,
            self.tools.voice_model_sha256,
            BASE_MODEL_SHA256,
            asdict(self.tools.plan),
        ]
        key.update(json.dumps(facts).encode())
        digest = key.hexdigest()
        return states.load(folder, digest) or State(digest)

    def _prepare(self) -> list[Item]:
        rows = []
        for one in (*self.trained, *self.held):
            piece = self.pieces[one]
            at_16k = self.tools.encoders.resample(piece[None], 24_000, 16_000)[0]
            f0_hz = curves(piece, at_16k, self.tools.encoders.pitch)
            rows.append((piece, f0_hz, self.scanned.recordings[one.file].band_hz))
        return prepare(
            rows,
            self.tools.parts,
            self.tools.others,
            disguises=self.tools.plan.disguises,
            seed=self.request.seed,
            on_slice=lambda done, count: self.listener("prepare", 0.6 * done / count, None, ""),
        )

    def _parted(self, items: list[Item]) -> list[list[Item]]:
        """Part what was prepared: own slices, held-out ones, others' words, held-out ones."""
        counts = (len(self.trained), len(self.held), self.tools.plan.strangers)
        edges = [0, *accumulate(counts), len(items)]
        return [items[start:stop] for start, stop in pairwise(edges)]

    def _strangers(self, voice: Voice) -> list[Item]:
        """Prepare what others say: to learn from, then to score on."""
        plan, seed = self.tools.plan, self.request.seed
        count = plan.strangers + plan.held_strangers
        clips: list[Clip] = []
        for index in range(count):
            clips += self.tools.tell(1, 1_000 * seed + index)
            self.listener("prepare", 0.6 + 0.4 * (index + 1) / count, None, "")
        return strangers(clips, self.tools.parts, voice.speaker, seed=seed)

    def _settings(self) -> Settings:
        plan = self.tools.plan
        left_s = self.request.limit_s - (time.monotonic() - self.begin)
        return Settings(
            seconds=max(left_s, 1e-3),
            closing=_CLOSING,
            steps=self.request.steps or Settings.steps,
            batch=plan.batch,
            ticks=plan.ticks,
            seed=self.request.seed,
        )

    def _tell(self, report: Report) -> None:
        text = f"similarity {report.similarity:.3f}, best {report.best:.3f}"
        self.listener("train", report.fraction, report.seconds_left, text)

    def _weaken(self, state: State, learner: Learner, judge: Judge) -> float:
        """Try the best state at less than its full strength; keep what is better."""
        self.listener("score", 0.0, None, "")
        if not state.best_step:
            return 1.0
        values = state.kind("best")
        before, free = state.scores["before"], judge.words_free
        best, strength = worth(state.scores["after"], before, free), 1.0
        for candidate in STRENGTHS:
            learner.put(weakened(values, candidate))
            found = worth(judge.score(learner), before, free)
            if found > best:
                best, strength = found, candidate
        state.put("best", weakened(values, strength))
        return strength

    def _record(
        self, state: State, learner: Learner, judge: Judge, strength: float
    ) -> TrainingRecord:
        """Score the untrained voice and the best state once more, with all that there is."""
        self.listener("score", 0.4, None, "")
        learner.put(_untrained(learner))
        before = after = judge.score(learner, natural=True)
        self.listener("score", 0.6, None, "")
        if state.best_step:
            # As it will be read from the file.
            learner.put({name: value.half().float() for name, value in state.kind("best").items()})
            after = judge.score(learner, natural=True)
        recordings = judge.recordings(learner)
        self.listener("score", 1.0, None, "")
        return TrainingRecord(
            voice_model_sha256=self.tools.voice_model_sha256,
            date=datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
            seconds_trained=round(sum(one.seconds for one in self.trained), 2),
            seconds_held_out=round(sum(one.seconds for one in self.held), 2),
            steps=state.step,
            best_step=state.best_step,
            strength=strength,
            minutes=round((time.monotonic() - self.begin) / 60, 2),
            device=self.request.kind,
            judge=self.tools.ear.name,
            before=before,
            after=after,
            recordings=recordings,
        )

    def _keep(self, zero_shot: Voice, state: State, record: TrainingRecord) -> Trained:
        gained = state.best_step > 0
        voice, notes = zero_shot, list(self.tools.ear.notes)
        if gained:
            style, adapter = as_adapter(state.kind("best"))
            header = zero_shot.header.model_copy(
                update={"training": record, "format_version": TRAINED_FORMAT_VERSION}
            )
            voice = Voice(header, style, zero_shot.embedding, adapter)
        else:
            notes.append("training brought nothing on the held-out recordings: kept untrained")
        if (size := len(to_bytes(voice))) >= LARGEST_BYTES:
            raise VoiceError(f"{voice.name}: found {size} bytes, expected under {LARGEST_BYTES}")
        path = self.store.save(voice, replace=True)
        return Trained(voice, path, self.scanned, record, gained, notes=notes)


def _within(slices: list[Slice], seconds: float) -> list[Slice]:
    """Return as many slices as fit, evenly spread, at least one."""
    total = sum(one.seconds for one in slices)
    if total <= seconds:
        return slices
    count = max(1, int(len(slices) * seconds / total))
    places = np.linspace(0, len(slices) - 1, count).round().astype(int)
    return [slices[place] for place in sorted(set(places.tolist()))]


def _levelled(scanned: Scan, where: Slice, least_ticks: int) -> FloatArray:
    """Return a slice at the model's level, whole ticks, at least a crop long."""
    recording = scanned.recordings[where.file]
    gain = np.float32(level_gain(recording.samples, 24_000))
    return whole(samples_of(recording, where) * gain, least_ticks)


def _untrained(learner: Learner) -> dict[str, torch.Tensor]:
    """Return values under which the learner sounds as before any training."""
    values = {name: torch.zeros_like(value) for name, value in learner.values().items()}
    return values | {"style": learner.first_style.cpu()}
