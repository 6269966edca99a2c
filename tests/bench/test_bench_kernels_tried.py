"""What is timed against each other in the benchmark of ops that nothing calls does the same."""

from __future__ import annotations

import pytest
import torch

from autovoice.bench.kernels import _chosen
from autovoice.bench.kernels_tried import tried_pairs
from autovoice.errors import InputError


def test_both_ways_of_each_op_make_the_same() -> None:
    with torch.inference_mode():
        made = {name: (ours(), layers()) for name, (ours, layers) in tried_pairs(2, "cpu").items()}
    assert set(made) == {"topk_cosine 1500 keys", "topk_cosine 20000 keys"}
    for ours, layers in made.values():
        torch.testing.assert_close(ours[0], layers[0], atol=2e-5, rtol=0)
        assert torch.equal(ours[1], layers[1])
        assert ours[0].std() > 0


def test_ops_are_chosen_by_how_their_names_begin() -> None:
    pairs = dict.fromkeys(("polar_stft", "polar_istft", "log_mel"), (lambda: None, lambda: None))
    assert list(_chosen(pairs, ())) == list(pairs)
    assert list(_chosen(pairs, ("polar", "log"))) == list(pairs)
    assert list(_chosen(pairs, ("log_mel",))) == ["log_mel"]
    with pytest.raises(InputError, match=r"found 'snake', expected .* polar_stft; polar_istft"):
        _chosen(pairs, ("log_mel", "snake"))
