from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from autovoice import weights
from autovoice.errors import InputError, WeightsError
from autovoice.nn.adain import AdainResBlk1d
from autovoice.nn.graphs import GraphCache
from autovoice.nn.kokoro_text import KokoroText, _alignment, _spread, masked_adain_block


@pytest.fixture(scope="module")
def network() -> KokoroText:
    torch.manual_seed(3)
    net = KokoroText().eval().requires_grad_(False)
    # About three frames per token, as in speech; random weights would give 25.
    net.predictor.duration_proj.linear_layer.bias.fill_(-2.7)
    return net


def _batch() -> tuple[Tensor, Tensor, Tensor]:
    lengths = torch.tensor([7, 12])
    tokens = torch.randint(1, 170, (2, 12), generator=torch.Generator().manual_seed(1))
    tokens[:, 0] = 0
    tokens[0, 6:] = 0
    tokens[1, 11] = 0
    style = torch.randn(2, 256, generator=torch.Generator().manual_seed(2))
    return tokens, lengths, style


def test_shapes_and_padding(network: KokoroText) -> None:
    tokens, lengths, style = _batch()
    features = network(tokens, lengths, style)
    size = int(features.frames.max())
    assert features.asr.shape == (2, 512, size)
    assert features.f0_hz.shape == features.energy.shape == (2, 2 * size)
    assert (features.durations[0, 7:] == 0).all()
    assert (features.durations[1] >= 1).all()
    assert torch.equal(features.durations.sum(dim=1), features.frames)
    short = int(features.frames[0])
    assert short < size
    for curve, end in ((features.asr, short), (features.f0_hz, 2 * short)):
        assert (curve[0, ..., end:] == 0).all()
        assert (curve[0, ..., :end] != 0).any()


def test_a_row_does_not_depend_on_its_batch(network: KokoroText) -> None:
    tokens, lengths, style = _batch()
    together = network(tokens, lengths, style)
    for row, length in enumerate(lengths.tolist()):
        here = slice(row, row + 1)
        alone = network(tokens[here, :length], lengths[here], style[here])
        frames = int(alone.frames[0])
        assert frames == int(together.frames[row])
        torch.testing.assert_close(
            together.asr[row, :, :frames], alone.asr[0], atol=1e-4, rtol=1e-4
        )
        for name in ("f0_hz", "energy"):
            curve = getattr(together, name)[row, : 2 * frames]
            torch.testing.assert_close(curve, getattr(alone, name)[0], atol=1e-3, rtol=1e-3)


def test_shapes_that_recur_change_nothing(network: KokoroText) -> None:
    tokens, lengths, style = _batch()
    shapes: list[tuple[str, int]] = []

    def run(name: str, work: Any, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        shapes.append((name, tensors[0].shape[1]))
        made: tuple[torch.Tensor, ...] = work(*tensors)
        return made

    plain, filled = network(tokens, lengths, style), network(tokens, lengths, style, run=run)
    (text, frames), size = shapes, plain.asr.shape[-1]
    assert text == ("text", 16)
    assert frames == ("frames", -(-size // 40) * 40)
    assert torch.equal(filled.durations, plain.durations)
    for name in ("asr", "f0_hz", "energy"):
        one, other = getattr(filled, name), getattr(plain, name)
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_graphs_on_a_gpu_say_what_the_cpu_says(network: KokoroText) -> None:
    tokens, lengths, style = _batch()
    plain = network(tokens, lengths, style)
    graphs, there = GraphCache(), copy.deepcopy(network).cuda()
    flags = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    with torch.inference_mode(), flags:
        for _ in range(3):
            found = there(tokens.cuda(), lengths.cuda(), style.cuda(), run=graphs.several)
            assert torch.equal(found.durations.cpu(), plain.durations)
            torch.testing.assert_close(found.asr.cpu(), plain.asr, atol=1e-3, rtol=1e-3)
            torch.testing.assert_close(found.f0_hz.cpu(), plain.f0_hz, atol=0.05, rtol=1e-3)
    assert len(graphs) == 2


def test_speed_and_scale_change_durations(network: KokoroText) -> None:
    tokens, lengths, style = _batch()
    normal = network(tokens, lengths, style)
    slow = network(tokens, lengths, style, 0.5)
    assert (slow.frames > 1.6 * normal.frames).all()
    scale = torch.ones(2, 12)
    scale[1, 4] = 5.0
    stretched = network(tokens, lengths, style, torch.tensor([1.0, 1.0]), duration_scale=scale)
    assert stretched.durations[1, 4] >= 4 * normal.durations[1, 4]
    changed = stretched.durations != normal.durations
    assert changed.sum() == 1


def test_asr_follows_the_durations() -> None:
    durations = torch.tensor([[2, 1, 3], [1, 2, 0]])
    index, keep = _alignment(durations, durations.sum(dim=1), 6)
    assert index[0].tolist() == [0, 0, 1, 2, 2, 2]
    assert index[1, :3].tolist() == [0, 1, 1]
    assert keep.sum(dim=1).tolist() == [6, 3]
    rows = torch.tensor([[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]])
    spread = _spread(rows, index, keep)[..., 0]
    assert spread.tolist() == [[1, 1, 2, 3, 3, 3], [4, 5, 5, 0, 0, 0]]


@pytest.mark.parametrize(("width", "upsample"), [(8, False), (6, True)])
def test_masked_block_is_the_plain_block_without_padding(width: int, upsample: bool) -> None:
    torch.manual_seed(0)
    block = AdainResBlk1d(8, width, 128, upsample=upsample).eval()
    x, style = torch.randn(2, 8, 9), torch.randn(2, 128)
    with torch.no_grad():
        masked = masked_adain_block(block, x, style, torch.tensor([9, 9]))
        torch.testing.assert_close(masked, block(x, style), atol=1e-5, rtol=1e-5)


def test_too_many_tokens_are_refused(network: KokoroText) -> None:
    with pytest.raises(InputError, match="found 513 phonemes, expected at most 512"):
        network(torch.zeros(1, 513, dtype=torch.long), torch.tensor([513]), torch.zeros(1, 256))


@pytest.mark.e2e
def test_real_weights_speak_plausibly() -> None:
    try:
        tensors = weights.tensors("kokoro-82m")
    except WeightsError as error:
        pytest.skip(f"no weights: {error}")
    net = KokoroText().eval().requires_grad_(False)
    kept = {key: value for key, value in tensors.items() if not key.startswith("decoder.")}
    missing, unexpected = net.load_state_dict(kept, strict=False)
    assert not missing
    assert all(key.startswith("voice") for key in unexpected)
    # "hello world" in Kokoro's phonemes.
    ids = [0, 50, 83, 54, 156, 31, 16, 65, 156, 87, 123, 54, 46, 4, 0]
    features = net(torch.tensor([ids]), torch.tensor([len(ids)]), torch.zeros(1, 256))
    # Words of two and one syllables with pauses take 0.5-2.5 s.
    assert 20 <= int(features.frames[0]) <= 100
    assert torch.isfinite(features.f0_hz).all()
    assert 60 < float(features.f0_hz.max()) < 600
