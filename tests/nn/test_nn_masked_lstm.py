from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from autovoice.nn.graphs import GraphCache
from autovoice.nn.masked_lstm import Ends, MaskedLstm, packed_lstm


@pytest.fixture(scope="module")
def pair() -> tuple[MaskedLstm, nn.LSTM]:
    torch.manual_seed(5)
    plain = nn.LSTM(24, 16, batch_first=True, bidirectional=True).requires_grad_(False)
    for weight in plain.parameters():
        weight.mul_(3)  # so that gates open and close as they do once trained
    masked = MaskedLstm(24, 16).requires_grad_(False)
    masked.load_state_dict(plain.state_dict())
    return masked, plain


@pytest.mark.parametrize("lengths", [[9], [3], [9, 1, 4], [2, 5, 5, 1]])
def test_padding_changes_nothing(pair: tuple[MaskedLstm, nn.LSTM], lengths: list[int]) -> None:
    masked, plain = pair
    batch = torch.randn(len(lengths), 9, 24, generator=torch.Generator().manual_seed(1))
    counts = torch.tensor(lengths)
    expected = packed_lstm(plain, batch, counts)
    # Whatever lies beyond the end of a row is not heard.
    noisy = batch + 50 * (torch.arange(9) >= counts[:, None])[..., None]
    torch.testing.assert_close(masked.over(noisy, Ends(counts)), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(
        masked.over(noisy, Ends(counts, counts)), expected, atol=1e-5, rtol=0
    )


def test_one_that_was_not_loaded_masks_too() -> None:
    layer, batch = MaskedLstm(5, 4).requires_grad_(False), torch.randn(2, 7, 5)
    counts = torch.tensor([3, 7])
    found = layer.over(batch, Ends(counts))
    torch.testing.assert_close(found, layer.over(batch, Ends(counts, counts)), atol=1e-5, rtol=0)
    assert (found[0, 3:] == 0).all()
    assert (found[0, :3] != 0).any()


def test_its_own_weights_load_again(pair: tuple[MaskedLstm, nn.LSTM]) -> None:
    again = MaskedLstm(24, 16)
    again.load_state_dict(pair[0].state_dict())
    assert all(map(torch.equal, again.parameters(), pair[0].parameters()))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_graph_holds_it(
    pair: tuple[MaskedLstm, nn.LSTM], caplog: pytest.LogCaptureFixture
) -> None:
    masked, graphs = copy.deepcopy(pair[0]).cuda(), GraphCache()
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        for turn in range(4):
            batch, counts = torch.randn(3, 9, 24), torch.tensor([9, 1 + turn, 4])
            expected = packed_lstm(pair[1], batch, counts)
            (found,) = graphs.several(
                "lstm", lambda x, n: (masked.over(x, Ends(n)),), batch.cuda(), counts.cuda()
            )
            torch.testing.assert_close(found.cpu(), expected, atol=1e-4, rtol=0)
    assert len(graphs) == 1
    assert not caplog.records
