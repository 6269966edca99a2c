"""A conversion on a device sends its arrays up once for each pass, and takes its results once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from standins import voice
from tests.bus import Bus

from autovoice import io, weights
from autovoice.engine import Builders, Engine
from autovoice.engine.resident_stages import ResidentBuilders
from autovoice.nn import residence
from autovoice.nn.transfer import Rows
from autovoice.types import Audio

pytestmark = pytest.mark.e2e


def test_one_copy_each_way_for_a_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = io.read(weights.file("demo-song", "audio_example.mp3"))
    assert whole.sample_rate_hz == 44_100
    song = Audio(np.ascontiguousarray(whole.samples[:, 88_200 : 88_200 + 44_100]), 44_100)
    engine = Engine(
        "cpu", data_dir=tmp_path, builders=Builders(resident=ResidentBuilders(everywhere=True))
    )
    plain = engine.convert(song, voice(), semitones=2)
    written: list[tuple[int, ...]] = []
    write = Rows.write
    monkeypatch.setattr(Rows, "write", lambda rows, to: (written.append(to.shape), write(rows, to)))
    with Bus.between(monkeypatch) as bus:
        made = engine.convert(song, voice(), semitones=2)
    passes = {"separate", "hear", "sing", "mix"}
    assert passes <= made.timings.keys()
    # The vocals lie there from the first pass on, so `hear` sends up nothing but two lengths.
    assert (bus.up, bus.down) == (len(passes), len(passes))
    stereo = [shape for shape in written if shape[1:] == (2, 44_100)]
    assert len(stereo) == 2, "the song for `separate`, the backing for `mix`, and no vocals"
    np.testing.assert_allclose(made.audio.samples, plain.audio.samples, atol=1e-6)
    vocals = made.stems.vocals.samples
    assert residence.of(vocals, torch.device("cpu")) is None, "whose owner may write to it now"
