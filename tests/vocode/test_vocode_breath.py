from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from autovoice.nn.decoder import FRAME_SAMPLES
from autovoice.vocode.breath import MOST_FRAMES, breath


def test_a_seed_gives_one_breath_whatever_is_asked_in_between() -> None:
    before = breath(50, 11)
    breath(400, 11)
    np.testing.assert_array_equal(breath(50, 11), before)
    assert not np.array_equal(breath(50, 12), before)
    drawn = torch.randn(50 * FRAME_SAMPLES, generator=torch.Generator().manual_seed(11))
    np.testing.assert_array_equal(before, drawn.numpy())


def test_a_shorter_one_begins_a_longer_one() -> None:
    longest = breath(MOST_FRAMES + 3, 13)
    for frames in (1, 39, 40, 41, MOST_FRAMES, MOST_FRAMES + 1):
        found = breath(frames, 13)
        assert found.shape == (FRAME_SAMPLES * frames,)
        np.testing.assert_array_equal(found, longest[: len(found)])


def test_nobody_can_write_to_what_others_get() -> None:
    assert not breath(10, 14).flags.writeable
    assert breath(10, None).flags.writeable


def test_threads_get_the_same() -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda frames: breath(frames, 15), range(20, 180, 10)))
    for each in found:
        np.testing.assert_array_equal(each, found[-1][: len(each)])


def test_without_a_seed_it_comes_from_pytorchs_own_state() -> None:
    torch.manual_seed(3)
    one = breath(4, None)
    torch.manual_seed(3)
    np.testing.assert_array_equal(breath(4, None), one)
