"""The style encoder and the speaker judge of training."""

from __future__ import annotations

import math

import pytest
import torch

from autovoice.nn.speaker_judge import AngularMargin, SpeakerJudge
from autovoice.nn.style_encoder import (
    EMBEDDING_DIM,
    MEL_BANDS,
    AttentiveStatistics,
    StyleEncoder,
)


def _ones(frames: int) -> torch.Tensor:
    return torch.ones(1, frames, dtype=torch.bool)


def test_even_scores_give_the_mean_and_the_deviation() -> None:
    pool = AttentiveStatistics(3).requires_grad_(False)
    pool.score[2].weight.zero_()
    x = torch.randn(1, 3, 200)
    pooled = pool(x, _ones(200))[0]
    torch.testing.assert_close(pooled[:3], x[0].mean(1), atol=1e-5, rtol=0)
    torch.testing.assert_close(pooled[3:], x[0].std(1, correction=0), atol=1e-4, rtol=0)


def test_what_the_mask_leaves_out_is_not_pooled() -> None:
    torch.manual_seed(0)
    pool = AttentiveStatistics(4)
    x = torch.randn(1, 4, 30)
    mask = torch.arange(30)[None] < 20
    other = x.clone()
    other[:, :, 20:] = 1e3
    with torch.inference_mode():
        torch.testing.assert_close(pool(other, mask), pool(x, mask))
        torch.testing.assert_close(pool(x, mask), pool(x[:, :, :20], _ones(20)))
        assert torch.isfinite(pool(x, torch.zeros(1, 30, dtype=torch.bool))).all()


@pytest.fixture(scope="module")
def style() -> StyleEncoder:
    torch.manual_seed(0)
    return StyleEncoder(channels=32, hidden=48).eval().requires_grad_(False)


def _named(seed: int) -> torch.Tensor:
    vector = torch.randn(1, EMBEDDING_DIM, generator=torch.Generator().manual_seed(seed))
    return vector / vector.norm()


def test_style_hears_spectrum_and_embedding(style: StyleEncoder) -> None:
    mel, mask = torch.randn(1, 80, 60), _ones(60)
    out = style(mel, _named(0), mask)
    assert out.shape == (1, 128)
    assert float((style(mel, _named(1), mask) - out).abs().max()) > 1e-3
    assert float((style(mel * 0.5, _named(0), mask) - out).abs().max()) > 1e-3


def test_style_does_not_hear_above_the_telling_band(style: StyleEncoder) -> None:
    mel = torch.randn(1, 80, 60)
    other = mel.clone()
    other[:, MEL_BANDS:] = -9.0
    mask = _ones(60)
    assert torch.equal(style(mel, _named(0), mask), style(other, _named(0), mask))


def test_style_is_in_the_units_of_the_decoders_voices(style: StyleEncoder) -> None:
    mel, mask = torch.randn(1, 80, 40), _ones(40)
    plain = style(mel, _named(0), mask)
    moved = StyleEncoder(channels=32, hidden=48).eval()
    state = {**style.state_dict(), "mean": torch.full((128,), 2.0), "spread": torch.full((128,), 3)}
    moved.load_state_dict(state)
    with torch.inference_mode():
        torch.testing.assert_close(moved(mel, _named(0), mask), 2 + 3 * plain)


def test_the_judge_embeds_on_the_unit_sphere_and_ignores_part_of_a_rooms_colour() -> None:
    torch.manual_seed(0)
    judge = SpeakerJudge(channels=16, dim=24).eval()
    with torch.inference_mode():
        vectors = judge(3 * torch.randn(5, 80, 40))
    assert vectors.shape == (5, 24)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(5))
    mel = torch.randn(1, 80, 40)
    top = mel.clone()
    top[:, MEL_BANDS:] += 5
    with torch.inference_mode():
        assert torch.equal(judge(mel), judge(top))


def _head(margin: float) -> AngularMargin:
    head = AngularMargin(2, 2, margin=margin, scale=10.0).requires_grad_(False)
    head.weight.copy_(torch.tensor([[3.0, 0.0], [0.0, 0.5]]))
    return head


def test_margin_loss_against_its_formula() -> None:
    angle = 0.4
    vector = torch.tensor([[math.cos(angle), math.sin(angle)]])
    speaker = torch.tensor([0])
    for margin in (0.0, 0.2):
        # The length of a class's weights does not matter, only their direction.
        hit, miss = 10 * math.cos(angle + margin), 10 * math.sin(angle)
        expected = math.log(1 + math.exp(miss - hit))
        assert float(_head(margin)(vector, speaker)) == pytest.approx(expected, abs=1e-4)
    assert float(_head(0.2)(vector, torch.tensor([1]))) > float(_head(0.2)(vector, speaker))


def test_margin_loss_is_finite_at_a_perfect_hit_and_has_a_gradient() -> None:
    vector = torch.tensor([[1.0, 0.0]], requires_grad=True)
    loss = _head(0.2)(vector, torch.tensor([0]))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(vector.grad).all()


def test_training_the_judge_tells_voices_apart() -> None:
    torch.manual_seed(0)
    judge, head = SpeakerJudge(channels=16, dim=8), AngularMargin(8, 2)
    voices = torch.randn(2, 80, 1)
    speaker = torch.tensor([0, 1, 0, 1])
    optimiser = torch.optim.Adam([*judge.parameters(), *head.parameters()], lr=1e-2)
    losses = []
    for _ in range(40):
        loss = head(judge(voices[speaker] + 0.3 * torch.randn(4, 80, 20)), speaker)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    with torch.inference_mode():
        one, two, three, _ = judge(voices[speaker] + 0.3 * torch.randn(4, 80, 20))
    assert float(one @ three) > float(one @ two) + 0.3
