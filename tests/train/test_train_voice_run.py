"""From recordings to a stored voice, with made networks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import voice_standins
from voice_standins import BERTA, MODEL_A, MODEL_B, RATE_HZ, sing, tools

from autovoice import io, weights
from autovoice.errors import VoiceError
from autovoice.nn.low_rank import Adapted
from autovoice.train.voice.judge import Judge
from autovoice.train.voice.learner import Learner
from autovoice.train.voice.request import PLANS, Request
from autovoice.train.voice.run import train_voice
from autovoice.types import Audio
from autovoice.voices import Scores, Voice, VoiceHeader, VoiceStore, check_base


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def store(tmp_path: Path) -> VoiceStore:
    return VoiceStore(tmp_path / "data" / "voices")


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return io.write(Audio(sing(16.0, BERTA)[None], RATE_HZ), tmp_path / "berta.wav")


def request(recording: Path, **others: object) -> Request:
    return replace(Request("berta", [recording], minutes=30.0, steps=12), **others)  # type: ignore[arg-type]


def test_a_voice_is_trained_stored_and_told_of(store: VoiceStore, recording: Path) -> None:
    heard: list[tuple[str, float]] = []
    done = train_voice(
        request(recording, consent="I agree."), store, tools=tools(),
        listener=lambda stage, share, left_s, text: heard.append((stage, share)),
    )  # fmt: skip
    assert done.gained
    voice = store.load("berta")
    training = voice.header.training
    assert training is not None
    assert training == done.record
    assert training.after.similarity > training.before.similarity
    assert training.voice_model_sha256 == MODEL_A
    assert (training.steps, training.device) == (12, "cpu")
    assert training.seconds_held_out >= 4.0
    assert voice.header.consent == "I agree."
    assert voice.header.seconds_used == pytest.approx(done.scan.seconds, abs=0.01)
    assert done.path.stat().st_size < 10_000_000
    assert {value.dtype for value in voice.adapter.values()} == {np.dtype(np.float16)}
    assert list(dict.fromkeys(stage for stage, _ in heard)) == ["scan", "prepare", "train", "score"]
    assert all(0.0 <= share <= 1.0 for _, share in heard)
    assert not (store.folder.parent / "training" / "berta").exists()


def test_the_stored_voice_fits_the_networks_that_it_was_trained_on(
    store: VoiceStore, recording: Path
) -> None:
    used = tools()
    voice = train_voice(request(recording), store, tools=used).voice
    before = {k: v.clone() for k, v in used.parts.decoder.state_dict().items()}
    worn = Adapted(used.parts.decoder, "decoder.")
    worn.wear(voice.speaker.adapter)
    changed = [
        k for k, v in used.parts.decoder.state_dict().items() if not torch.equal(v, before[k])
    ]
    assert "encode.conv1.weight" in changed
    assert "encode.norm1.fc.bias" in changed
    worn.wear({})
    assert all(torch.equal(v, before[k]) for k, v in used.parts.decoder.state_dict().items())


def test_less_of_it_is_kept_where_less_is_better(
    store: VoiceStore, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def score(judge: Judge, learner: Learner, *, natural: bool = False) -> Scores:
        """Like a voice whose additions are best at half of what was trained."""
        biases = [v.detach().abs().sum() for k, v in learner.parameters.items() if "bias" in k]
        size = float(torch.stack(biases).sum())
        full.append(size)
        near = 0.9 - 0.3 * abs(size / max(full) - 0.5)
        return Scores(similarity=near if size else 0.5, words_gap=0.1)

    full: list[float] = [1e-9]
    monkeypatch.setattr(Judge, "score", score)
    done = train_voice(request(recording), store, tools=tools())
    assert done.record.strength == 0.5
    full_size = max(full)
    kept = sum(float(np.abs(v).sum()) for k, v in done.voice.adapter.items() if "bias" in k)
    assert kept == pytest.approx(0.5 * full_size, rel=0.01)


def test_ctrl_c_saves_and_the_same_call_goes_on(store: VoiceStore, recording: Path) -> None:
    def stop(stage: str, share: float, left_s: float | None, text: str) -> None:
        if stage == "train" and share > 0.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_voice(request(recording), store, tools=tools(), listener=stop)
    assert store.names() == []
    heard: list[str] = []
    again = train_voice(
        request(recording), store, tools=tools(),
        listener=lambda stage, share, left_s, text: heard.append(stage),
    )  # fmt: skip
    assert "prepare" not in heard
    assert 0 < again.resumed_at < 12
    assert again.record.steps == 12
    once = train_voice(request(recording, force=True), store, tools=tools())
    assert once.resumed_at == 0
    np.testing.assert_allclose(once.voice.style, again.voice.style, rtol=1e-3, atol=1e-4)


def test_no_minutes_left_keeps_what_an_interruption_left(
    store: VoiceStore, recording: Path
) -> None:
    def stop(stage: str, share: float, left_s: float | None, text: str) -> None:
        if stage == "train" and share > 0.7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_voice(request(recording), store, tools=tools(), listener=stop)
    done = train_voice(request(recording, minutes=0.0), store, tools=tools())
    assert 0 < done.record.steps < 12
    assert done.record.steps == done.resumed_at


def test_other_recordings_or_another_model_begin_anew(
    store: VoiceStore, recording: Path, tmp_path: Path
) -> None:
    def stop(stage: str, share: float, left_s: float | None, text: str) -> None:
        if stage == "train":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_voice(request(recording), store, tools=tools(), listener=stop)
    other = io.write(Audio(sing(14.0, BERTA, seed=4)[None], RATE_HZ), tmp_path / "other.wav")
    assert train_voice(request(other, steps=2), store, tools=tools()).resumed_at == 0
    with pytest.raises(KeyboardInterrupt):
        train_voice(request(recording, force=True), store, tools=tools(), listener=stop)
    done = train_voice(request(recording, steps=2, force=True), store, tools=tools(MODEL_B))
    assert done.resumed_at == 0


def test_a_trained_voice_is_not_replaced_by_accident(store: VoiceStore, recording: Path) -> None:
    train_voice(request(recording), store, tools=tools())
    with pytest.raises(VoiceError, match="replace it"):
        train_voice(request(recording), store, tools=tools())
    with pytest.raises(VoiceError, match="built-in"):
        train_voice(request(recording, name="kumo"), store, tools=tools())


def test_training_a_made_voice_keeps_its_consent(store: VoiceStore, recording: Path) -> None:
    header = VoiceHeader(
        name="berta", consent="Yes.", consent_date="2026-01-31", licence="CC0-1.0",
        description="low",
    )  # fmt: skip
    store.save(Voice(header, np.ones(128, np.float32), np.ones(256, np.float32)))
    found = train_voice(request(recording, licence="MIT"), store, tools=tools()).voice.header
    assert (found.consent, found.consent_date) == ("Yes.", "2026-01-31")
    assert (found.licence, found.description) == ("MIT", "low")


def test_without_a_gain_the_voice_stays_untrained(store: VoiceStore, recording: Path) -> None:
    done = train_voice(request(recording, minutes=0.0), store, tools=tools())
    assert not done.gained
    assert done.record.before == done.record.after
    voice = store.load("berta")
    assert voice.header.training is None
    assert not voice.adapter
    assert any("brought nothing" in note for note in done.notes)


def test_a_voice_of_another_model_is_refused(
    store: VoiceStore, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    voice = train_voice(request(recording), store, tools=tools()).voice
    monkeypatch.setattr(weights, "voice_model_sha256", lambda: MODEL_A)
    assert check_base(voice) is voice
    monkeypatch.setattr(weights, "voice_model_sha256", lambda: MODEL_B)
    with pytest.raises(VoiceError, match="train it again"):
        check_base(voice)


def test_long_recordings_are_thinned_to_what_the_device_can_do(
    store: VoiceStore, tmp_path: Path
) -> None:
    path = io.write(Audio(sing(40.0, BERTA)[None], RATE_HZ), tmp_path / "long.wav")
    used = tools()
    used.plan = replace(used.plan, train_s=12.0, held_s=4.0)
    record = train_voice(request(path, steps=2), store, tools=used).record
    assert 6.0 < record.seconds_trained <= 12.0
    assert record.seconds_held_out <= 6.0


def test_the_plans_say_what_a_device_can_do() -> None:
    assert PLANS["cpu"].batch <= PLANS["cuda"].batch
    assert Request("x", []).limit_s == 40 * 60
    assert Request("x", [], device="cuda:1").limit_s == 3 * 60
    assert voice_standins.tools().plan.rank < PLANS["cpu"].rank
