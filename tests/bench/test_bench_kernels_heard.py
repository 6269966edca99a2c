"""What is timed against each other in the benchmark of the hearing ops does the same."""

from __future__ import annotations

import torch

from autovoice.bench.kernels_heard import heard_pairs


def test_both_ways_of_each_op_make_the_same_of_a_sound() -> None:
    with torch.inference_mode():
        made = {name: (ours(), layers()) for name, (ours, layers) in heard_pairs(2, "cpu").items()}
    assert [name for name in made if name.startswith("log_mel")] == [
        "log_mel three windows", "log_mel energy", "log_mel recogniser",
    ]  # fmt: skip
    f0_hz, confidence = made.pop("pitch_finish")[0]
    # The slip of an octave is repaired, and nearly all is voiced.
    assert float((f0_hz > 0).float().mean()) > 0.95
    torch.testing.assert_close(f0_hz[:, 4:120], torch.full((2, 116), 110.0), atol=1.0, rtol=0)
    assert confidence.shape == f0_hz.shape == (2, 126)
    for ours, layers in made.values():
        torch.testing.assert_close(ours.reshape(layers.shape), layers, atol=2e-4, rtol=0)
        assert ours.std() > 0
