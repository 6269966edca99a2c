from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standins import song

from autovoice.engine.scratch import Scratch, relax
from autovoice.engine.separating import separate
from autovoice.errors import ResourceError
from autovoice.types import Audio, Stems


class LocalSeparator:
    """Vocals are the mean over a second, so a piece without context would differ."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def separate(self, audio: Audio, *, progress: Callable[[float], None] | None = None) -> Stems:
        self.lengths.append(audio.length_samples)
        rate = audio.sample_rate_hz
        kernel = np.ones(rate) / rate
        vocals = np.stack([np.convolve(row, kernel, "same") for row in audio.samples])
        samples = vocals.astype(np.float32)[:, : audio.length_samples]
        if progress is not None:
            progress(1.0)
        return Stems(Audio(samples, rate), Audio(audio.samples - samples, rate))


def _quiet(share: float) -> None:
    assert 0.0 <= share <= 1.0


@given(st.integers(31, 120), st.integers(3, 40))
@settings(max_examples=25, deadline=None)
def test_pieces_equal_the_whole_and_stems_sum_to_the_mix(tenths: int, piece_s: int) -> None:
    mix = song(tenths, 100, channels=2)
    whole = LocalSeparator().separate(mix)
    pieces = LocalSeparator()
    stems = separate(mix, pieces, Scratch(in_memory_bytes=1), _quiet, piece_s=piece_s)
    np.testing.assert_allclose(stems.vocals.samples, whole.vocals.samples, atol=1e-5)
    np.testing.assert_allclose(stems.vocals.samples + stems.backing.samples, mix.samples, atol=1e-6)
    assert max(pieces.lengths) <= (piece_s + 24) * 100


def test_a_small_song_goes_through_at_once() -> None:
    separator = LocalSeparator()
    separate(song(9.0, 100), separator, Scratch(), _quiet, piece_s=2)
    assert separator.lengths == [900]


def test_a_full_disk_is_a_resource_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(ResourceError, match="No space left on device"):
        Scratch(in_memory_bytes=1).zeros(1, 1 << 20)


def test_relaxed_arrays_keep_what_was_written() -> None:
    array = Scratch(in_memory_bytes=1).zeros(2, 5000)
    array[:] = 3.0
    relax(array)
    relax(np.zeros(3, np.float32))
    assert (array == 3.0).all()
