"""What fits under a cap of memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from standins import Carrier, builders, song, voice

from autovoice.analyse.resident import Hearing
from autovoice.config import PRESETS, PresetName
from autovoice.engine import Engine, memory
from autovoice.engine.carrying import Vocal
from autovoice.engine.load import rough_seconds
from autovoice.engine.memory import NEEDS, Room, cost_bytes, fitted, left_under, seconds_in
from autovoice.engine.pipeline import Pipeline
from autovoice.engine.progress import Reporter
from autovoice.engine.resident_live import LiveSinger
from autovoice.engine.resident_piece import PieceSinger
from autovoice.engine.stages import Stages
from autovoice.mix.resident import ResidentMixer
from autovoice.nn.stage import NetworkStage

GIB = 1 << 30
CAPS = [GIB, 2 * GIB, 4 * GIB]


@pytest.mark.parametrize("name", list(PRESETS))
@pytest.mark.parametrize("cap", CAPS)
def test_pieces_with_their_context_and_all_weights_fit_under_the_cap(
    cap: int, name: PresetName
) -> None:
    left = left_under(cap)
    assert 0 < left < cap - sum(need.weights_bytes for need in NEEDS.values())
    chosen = fitted(PRESETS[name], left)
    assert cost_bytes("Vocoder", chosen.chunk_s + 2 * chosen.context_s) <= left
    assert 3.0 <= chosen.chunk_s <= PRESETS[name].chunk_s
    assert chosen.crossfade_s / 2 <= chosen.context_s <= PRESETS[name].context_s


def test_a_larger_cap_gives_longer_pieces_up_to_the_presets() -> None:
    lengths = [fitted(PRESETS["best"], left_under(cap)).chunk_s for cap in CAPS]
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[1] < lengths[2]
    assert fitted(PRESETS["best"], left_under(40 * GIB)) is PRESETS["best"]


def test_the_decoders_own_kernels_leave_room_for_longer_pieces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from autovoice.vocode import accelerated

    monkeypatch.setattr(accelerated, "can_accelerate", lambda device: (device.index == 0, ""))
    assert memory.needs_on("cpu") is memory.needs_on("cuda:1") is NEEDS
    fast = memory.needs_on("cuda:0")
    assert set(fast) == set(NEEDS)
    lengths = [fitted(PRESETS["best"], left_under(cap), fast).chunk_s for cap in CAPS]
    assert 10.0 < lengths[0] < lengths[1] == lengths[2] == PRESETS["best"].chunk_s
    where = ["cuda:0"]
    room = Room(lambda: where[0], GIB)
    fitting = fitted(PRESETS["best"], room.pass_bytes() or 0, room.needs)
    whole_s = fitting.chunk_s + 2 * fitting.context_s
    assert room.cost_bytes("PieceSinger", whole_s) <= left_under(GIB)
    where[0] = "cpu"  # where memory ran out the songs go on
    assert room.cost_bytes("PieceSinger", whole_s) == cost_bytes("PieceSinger", whole_s)


def test_the_context_gives_way_before_the_piece() -> None:
    tight = cost_bytes("Vocoder", 4.4)
    chosen = fitted(PRESETS["best"], tight)
    assert (chosen.chunk_s, chosen.context_s) == (3.0, 0.7)
    assert fitted(PRESETS["best"], 0).chunk_s == 3.0


@pytest.mark.parametrize("stage", list(NEEDS))
def test_seconds_and_bytes_are_each_others_inverse(stage: str) -> None:
    assert seconds_in(stage, cost_bytes(stage, 7.0)) == pytest.approx(7.0, rel=1e-6)
    assert seconds_in(stage, 0) == 0.0


def test_an_unknown_stage_costs_nothing() -> None:
    assert cost_bytes("Machine", 100.0) == 0


def test_the_table_names_stages_that_exist() -> None:
    from autovoice.analyse.content import ContentEncoder
    from autovoice.analyse.pitch import SwiftF0Tracker
    from autovoice.analyse.speaker import SpeakerEncoder
    from autovoice.convert import Converter, StyleEncoder
    from autovoice.separate.spleeter import Spleeter
    from autovoice.vocode import Vocoder
    from autovoice.vocode.resident_carry import ResidentCarry

    stages = (ContentEncoder, SwiftF0Tracker, SpeakerEncoder, Converter, StyleEncoder)
    resident = (Hearing, LiveSinger, PieceSinger, ResidentCarry, ResidentMixer)
    assert {stage.__name__ for stage in (*stages, Spleeter, Vocoder, *resident)} == set(NEEDS)


def test_what_is_longer_than_a_cap_allows_goes_the_plain_way_or_in_blocks() -> None:
    from autovoice.types import Audio, Stems
    from autovoice.vocode.resident_carry import ResidentCarry

    second = Audio(np.zeros((1, 24_000), np.float32), 24_000)
    mixer, carry, hearing = ResidentMixer(), ResidentCarry(), Hearing()
    assert mixer.fits(second, Stems(second, second))
    assert carry.fits(second.samples[0])
    assert hearing.fits(second)
    for stage in (mixer, carry, hearing):
        stage.limit_pass(0.9)
    assert mixer.whole_s == 0.9, "what is longer is mixed in blocks, see the tests of the room"
    assert mixer.fits(second, Stems(second, second))
    assert not carry.fits(second.samples[0])
    assert not hearing.fits(second)


def test_the_weights_of_the_table_are_those_of_the_networks() -> None:
    from autovoice.nn.content_adapter import ContentAdapter
    from autovoice.nn.decoder import KokoroDecoder
    from autovoice.nn.spleeter_unet import SpleeterUNet
    from autovoice.nn.whisper_encoder import WhisperEncoder

    def size(network: Any) -> int:
        return sum(weight.numel() for weight in network.state_dict().values())

    import torch

    with torch.device("meta"):
        found = {
            "Vocoder": 6 * size(KokoroDecoder()),
            "Converter": 4 * size(ContentAdapter()),
            "ContentEncoder": 4 * size(WhisperEncoder()),
            "Spleeter": 8 * size(SpleeterUNet()),
        }
    for name, found_bytes in found.items():
        assert NEEDS[name].weights_bytes == pytest.approx(found_bytes, rel=0.05), name


def test_the_separator_makes_its_chunks_fit() -> None:
    import torch

    from autovoice.nn.spleeter_unet import SpleeterUNet
    from autovoice.separate.spleeter import CONTEXT_FRAMES, HOP_SAMPLES, RATE_HZ, Spleeter

    with torch.device("meta"):
        one = SpleeterUNet().state_dict()
    tensors = {f"{stem}.{key}": torch.zeros(v.shape) for stem in ("vocals", "backing")
               for key, v in one.items()}  # fmt: skip
    separator = Spleeter(tensors=tensors)
    separator.limit_pass(1e6)
    assert separator.chunk_frames == 1536
    separator.limit_pass(30.0)
    frames = separator.chunk_frames + 2 * CONTEXT_FRAMES
    assert 28.0 < frames * HOP_SAMPLES / RATE_HZ <= 30.0
    separator.limit_pass(0.0)
    assert separator.chunk_frames == 128


class Spleeter(NetworkStage):
    """Bears the name of the table and hears its limit."""

    limits: list[float]

    def limit_pass(self, seconds: float) -> None:
        self.limits = [seconds]


@pytest.mark.parametrize(("most", "heard"), [(None, None), (cost_bytes("Spleeter", 9.0), [9.0])])
def test_stages_hear_their_limit_when_they_are_built(most: int | None, heard: Any) -> None:
    made = builders(separator=lambda device: Spleeter())
    stage = Stages("cpu", made, pass_bytes=lambda: most).separator
    found = getattr(stage, "limits", None)
    assert found == (heard and [pytest.approx(each) for each in heard])


def test_a_cap_bounds_batches_and_without_one_the_free_memory_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def room(device: str) -> int:
        asked.append(device)
        return 5

    monkeypatch.setattr(memory.devices, "room_bytes", room)
    assert Room(lambda: "cuda:0", GIB)() == left_under(GIB)
    assert Room(lambda: "cuda:0", GIB).pass_bytes() == left_under(GIB)
    free = Room(lambda: "cuda:0")
    assert (free(), free(), free.pass_bytes()) == (5, 5, None)
    capped_on_cpu = Room(lambda: "cpu", GIB)
    assert (capped_on_cpu(), capped_on_cpu.pass_bytes()) == (5, None)
    assert asked == ["cuda:0", "cpu"]


@pytest.fixture(scope="module")
def vocal() -> Vocal:
    reporter = Reporter(("separate", "analyse"))
    return Pipeline(Stages("cpu", builders()), PRESETS["best"], reporter).analyse(
        song(600.0, 8_000, channels=1)
    )


def _sung(vocal: Vocal, chosen: Any, carrier: Carrier) -> np.ndarray:
    stages = Stages("cpu", builders(carrier))
    pipeline = Pipeline(stages, chosen, Reporter(("convert",)))
    return pipeline.convert(vocal, voice().speaker, 0).samples[0]


@pytest.mark.parametrize("cap", CAPS)
def test_ten_minutes_under_a_cap_have_no_seams_and_no_pass_that_grows(
    vocal: Vocal, cap: int
) -> None:
    carrier = Carrier()
    whole = _sung(vocal, PRESETS["best"], Carrier())
    chosen = fitted(PRESETS["best"], left_under(cap))
    capped = _sung(vocal, chosen, carrier)
    error_db = 10 * np.log10(np.mean((whole - capped) ** 2) / np.mean(whole**2) + 1e-20)
    assert error_db < -60
    assert len(carrier.calls) > 600 / chosen.chunk_s - 1
    assert max(carrier.calls) <= chosen.chunk_s + 2 * chosen.context_s + 1e-6
    assert max(cost_bytes("Vocoder", seconds) for seconds in carrier.calls) <= left_under(cap)


def test_an_engine_under_a_cap_cuts_shorter_pieces_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autovoice.engine.devices.cap_memory", lambda device, cap: None)
    carrier = Carrier()
    engine = Engine("cpu", "1G", data_dir=tmp_path, builders=builders(carrier))
    engine.convert(song(40.0, 8_000, 1), voice())
    assert max(carrier.calls) > 20
    carrier.calls.clear()
    engine._stages.move("cuda:0")  # stands for a GPU
    monkeypatch.setattr("autovoice.engine.devices.release", lambda device: None)
    made = engine.convert(song(40.0, 8_000, 1), voice())
    assert max(carrier.calls) <= 7.0
    assert [note for note in made.notes if "1.0 GiB" in note]


@pytest.mark.parametrize(
    ("given", "seconds"),
    [(song(2.0), 2.0), ((np.zeros((2, 8_000)), 16_000), 0.5), ((np.zeros(16_000), 16_000), 1.0),
     ("no such file", 0.0), (7, 0.0), ((np.zeros(3),), 0.0), ("a\0b", 0.0)],
)  # fmt: skip
def test_lengths_are_guessed_without_reading(given: Any, seconds: float) -> None:
    assert rough_seconds(given) == seconds


def test_the_length_of_a_file_is_guessed_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(bytes(96_000))
    assert rough_seconds(path) == 3.0
