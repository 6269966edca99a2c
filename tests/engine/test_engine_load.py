"""How a song is brought in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from standins import song

from autovoice import io
from autovoice.engine.load import load_song
from autovoice.engine.scratch import Scratch
from autovoice.errors import InputError
from autovoice.io import spare


@pytest.mark.parametrize(("in_memory_bytes", "runs"), [(1 << 30, 1), (1000, 2)])
def test_what_the_header_says_costs_no_decoder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory_bytes: int, runs: int
) -> None:
    """Only what does not fit the memory is decoded twice, the first time to be measured."""
    source = io.write(song(1.0), tmp_path / "song.wav")
    begun: list[bytes] = []
    decode = spare.SPARES.decode
    monkeypatch.setattr(spare.SPARES, "decode", lambda asked: begun.append(asked) or decode(asked))
    found = load_song(source, Scratch(in_memory_bytes, tmp_path))
    assert len(begun) == runs
    np.testing.assert_array_equal(found.samples, io.read(source).samples)
    assert isinstance(found.samples, np.memmap) == (runs == 2)


def test_a_file_is_opened_and_left_alone(tmp_path: Path) -> None:
    """Its header may be enough; whoever takes the sound in blocks says how many samples each."""
    source = io.write(song(1.0), tmp_path / "song.wav")
    with io.reading(source) as file:
        assert file.info == io.probe(source)
    with io.reading(source) as file, pytest.raises(InputError, match="block_samples: found 0"):
        next(file.blocks(0))
    with pytest.raises(InputError, match=r"claims 1\.0 s"), io.reading(source, max_seconds=0.5):
        pass
