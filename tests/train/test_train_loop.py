"""One small step of both phases on the real networks: every loss, every weight, and going on."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import made_corpus
import pytest
import torch

from autovoice.train import checkpoint, loop
from autovoice.train.adversary import Adversary
from autovoice.train.networks import Networks
from autovoice.train.options import Moves, Options
from autovoice.train.steps import move_pitch
from autovoice.train.trainer import Trainer

pytestmark = pytest.mark.e2e
FROZEN_LOSSES = {
    "asr", "style", "mel_synthetic", "mel_real", "peaks", "pitch", "octave", "doubled",
    "words", "voice", "floor", "colour", "leak", "norm",
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    made_corpus.write_corpus(folder, seconds=2.0)
    made_corpus.write_bank(folder / "phonemes.npz")
    return folder


@pytest.fixture(scope="module")
def options(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Options:
    """As small as the networks allow; no time to train in, so that every step is counted here."""
    return Options(
        data, tmp_path_factory.mktemp("frozen"), seconds=0.0, judge_steps=1, batch=2,
        frames=16, device="cpu", learning_rate=1e-2, keep_state=False,
    )  # fmt: skip


def _state(nets: Networks) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in nets.state_dict().items()}


def _moved(nets: Networks, before: dict[str, torch.Tensor], part: str) -> float:
    """Return the share of a part's parameters that are not what they were."""
    changed = [
        not torch.equal(value, before[name])
        for name, value in nets.named_parameters()
        if name.startswith(part + ".")
    ]
    return sum(changed) / len(changed)


@pytest.fixture(scope="module")
def frozen(options: Options) -> tuple[Trainer, dict[str, torch.Tensor]]:
    trainer = loop.run(options)
    before = _state(trainer.nets)
    trainer._set_rate(0.5)
    trainer._iteration(0.5)
    return trainer, before


def test_the_frozen_phase_teaches_adapter_and_style_alone(
    frozen: tuple[Trainer, dict[str, torch.Tensor]],
) -> None:
    trainer, before = frozen
    assert set(trainer.sums) == FROZEN_LOSSES
    assert all(math.isfinite(value) for values in trainer.sums.values() for value in values)
    assert trainer.sums["norm"][0] > 0
    assert _moved(trainer.nets, before, "adapter") > 0.9
    assert _moved(trainer.nets, before, "style") > 0.9
    for part in ("decoder", "whisper", "speaker", "judge"):
        assert _moved(trainer.nets, before, part) == 0, part


def test_what_is_saved_is_the_moving_average(
    frozen: tuple[Trainer, dict[str, torch.Tensor]],
) -> None:
    trainer, before = frozen
    now = trainer.nets.state_dict()
    assert trainer.taught == 1
    decay = 1 / 10
    name = "adapter.outward.weight"
    expected = torch.lerp(now[name], before[name], decay)
    torch.testing.assert_close(trainer.average[name], expected)
    trainer.save()
    saved = checkpoint.load(trainer.options.out, "model")
    torch.testing.assert_close(saved[name], expected, atol=1e-4, rtol=1e-3)
    assert {name.split(".")[0] for name in saved} == {"adapter", "style"}
    judge = checkpoint.load(trainer.options.out, "judge")
    torch.testing.assert_close(
        judge["out.weight"], now["judge.out.weight"], atol=1e-3, rtol=1e-3
    )  # fmt: skip
    lines = (trainer.options.out / "log.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["at"] for row in rows] == ["ready", "judge", "end"]
    assert rows[1]["judge"] > 0


def test_the_joint_phase_goes_on_from_there_and_teaches_the_decoder(
    frozen: tuple[Trainer, dict[str, torch.Tensor]], tmp_path: Path
) -> None:
    first, _ = frozen
    first.save()
    folder = first.options.out
    joint = replace(first.options, phase="joint", resume=folder, out=tmp_path, batch=1)
    trainer = loop.run(joint)
    saved = checkpoint.load(folder, "model")
    before = _state(trainer.nets)
    assert all(torch.equal(before[name], value) for name, value in saved.items())
    assert trainer.adversary is not None
    assert trainer.begin_step == joint.critics_alone
    critic = trainer.adversary.sound.all[0].last.bias.clone()
    voice = trainer.adversary.voice.real.bias.clone()
    trainer._iteration(0.5)  # the critics learn alone
    assert _moved(trainer.nets, before, "decoder") == 0
    assert "norm" not in trainer.sums
    trainer.step = joint.critics_alone
    trainer.sums.clear()
    trainer._set_rate(0.5)
    trainer._iteration(0.5)
    assert set(trainer.sums) == FROZEN_LOSSES - {"mel_synthetic"} | {
        "critic", "adversarial", "features", "match",
    }  # fmt: skip
    assert all(math.isfinite(value) for values in trainer.sums.values() for value in values)
    assert trainer.sums["adversarial"][0] > 0
    assert _moved(trainer.nets, before, "decoder") > 0.9
    assert _moved(trainer.nets, before, "judge") == 0
    assert not torch.equal(critic, trainer.adversary.sound.all[0].last.bias)
    assert not torch.equal(voice, trainer.adversary.voice.real.bias)
    trainer.save()
    assert {name.split(".")[0] for name in checkpoint.load(tmp_path, "model")} == {
        "adapter", "style", "decoder",
    }  # fmt: skip
    again = Adversary("cpu", trainer.nets.mel, trainer.autocast, tmp_path)
    assert not again.fresh
    for name, value in trainer.adversary.voice.state_dict().items():
        torch.testing.assert_close(again.voice.state_dict()[name], value, atol=1e-3, rtol=1e-3)


def test_a_decoder_without_a_share_of_the_rate_stays_as_it_is(
    frozen: tuple[Trainer, dict[str, torch.Tensor]], tmp_path: Path
) -> None:
    first, _ = frozen
    first.save()
    trainer = loop.run(
        replace(first.options, phase="joint", resume=first.options.out, out=tmp_path, batch=1,
                decoder_share=0.0, critics_alone=0)
    )  # fmt: skip
    before = _state(trainer.nets)
    trainer._set_rate(0.5)
    trainer._iteration(0.5)
    assert trainer.sums["adversarial"][0] > 0  # critics and all judges heard it
    assert _moved(trainer.nets, before, "adapter") > 0.9
    assert _moved(trainer.nets, before, "style") > 0.9
    assert _moved(trainer.nets, before, "decoder") == 0
    # Nothing was reckoned for it either, and none of the clipped norm is its own.
    assert all(parameter.grad is None for parameter in trainer.nets.decoder.parameters())
    trainer.save()
    kept = checkpoint.load(tmp_path, "model")
    name = next(name for name in kept if name.startswith("decoder."))
    torch.testing.assert_close(kept[name], before[name], atol=1e-2, rtol=2e-2)


@pytest.mark.parametrize("sung_every", [1, 2, 3])
def test_in_the_joint_phase_the_critics_learn_from_every_kind(sung_every: int) -> None:
    trainer = object.__new__(Trainer)  # the schedule alone: no networks
    trainer.judged = Counter()
    taught: list[str] = []
    for step in range(12):
        kinds = ["cross"] if step % sung_every else ["cross", "sung"]
        taught += [kind for kind in kinds if trainer._turn(kind) == kind + "+"]
    assert [taught.count(kind) for kind in ("cross", "sung")] == [6, (12 // sung_every + 1) // 2]


def test_pitch_is_moved_to_the_other_voice() -> None:
    medians = torch.tensor([100.0, 230.0] * 200)
    f0_hz = torch.full((400, 4), 200.0)
    chance = torch.Generator().manual_seed(0)
    moved = move_pitch(f0_hz, medians, medians.roll(1, 0), chance)
    octaves = torch.log2(moved[:, 0] / 200.0)
    # Up from 100 to 230 Hz, down from 230 to 100: exactly, or by whole octaves.
    step = math.log2(2.3)
    for rows, sign in ((slice(0, None, 2), 1), (slice(1, None, 2), -1)):
        part = octaves[rows]
        whole, exact = (part - sign).abs() < 1e-3, (part - sign * step).abs() < 1e-3
        assert 0.2 < float(whole.float().mean()) < 0.5
        assert 0.2 < float(exact.float().mean()) < 0.5
        raised = part[~whole & ~exact]
        assert (raised > -step - 0.8).all()
        assert (raised < -1.0 - 1e-3).any() or sign > 0
    assert float(moved.max()) <= 1_200
    assert float(moved.min()) >= 60
    silent = move_pitch(torch.zeros(2, 4), medians[:2], medians[:2], chance)
    assert not silent.any()


def test_a_share_of_melodies_is_moved_by_whole_octaves_from_where_they_lie() -> None:
    medians = torch.tensor([100.0, 230.0] * 200)
    f0_hz = torch.full((400, 4), 200.0)
    chance = torch.Generator().manual_seed(0)
    other = medians.roll(1, 0)
    moved = move_pitch(f0_hz, medians, other, chance, Moves(octave_share=1.0, octave_most=2))
    octaves = torch.log2(moved[:, 0] / 200.0)
    assert set(octaves[0::2].tolist()) == {1.0, 2.0}  # the other voice is higher
    assert octaves[1::2].max() == -1.0
    assert octaves[1::2].min() == pytest.approx(math.log2(60 / 200), abs=1e-5)  # nobody sings lower
    alike = move_pitch(f0_hz, medians, medians, chance, Moves(octave_share=1.0))
    assert set(torch.log2(alike[:, 0] / 200.0).tolist()) == {-1.0, 1.0}
    half = move_pitch(f0_hz, medians, other, chance, Moves(octave_share=0.5, whole_share=0.0))
    whole = torch.log2(half[:, 0] / 200.0).abs() == 1.0
    assert 0.4 < float(whole.float().mean()) < 0.6


def test_melodies_can_be_left_at_the_other_voice() -> None:
    medians = torch.tensor([100.0, 150.0] * 20)
    f0_hz = torch.full((40, 4), 200.0)
    moves = Moves(whole_share=0.0, raised_share=0.0, lowered_share=0.0)
    moved = move_pitch(f0_hz, medians, medians.roll(1, 0), torch.Generator(), moves)
    expected = f0_hz * (medians.roll(1, 0) / medians)[:, None]
    torch.testing.assert_close(moved, expected)
