"""The structural checks find what they are there to find."""

from __future__ import annotations

import numpy as np
import pytest
from e2e.conversions import card_verdicts, judged, slug
from e2e.records import Verdict

from autovoice.types import Audio
from e2e import checks

RATE = 16_000


def sound(seed: int, gain: float = 0.1, length: int = RATE) -> Audio:
    noise = np.random.default_rng(seed).standard_normal((2, length))
    # Low-passed, so that there is nothing much between the samples.
    smooth = np.stack([np.convolve(row, np.hanning(16) / 8, "same") for row in noise])
    return Audio((gain * smooth).astype(np.float32), RATE)


def failed(verdicts: list[Verdict]) -> set[str]:
    return {verdict.gate for verdict in verdicts if verdict.status == "fail"}


def test_a_whole_file_passes() -> None:
    verdicts = checks.file_checks(sound(1), sound(0))
    assert failed(verdicts) == set()
    assert len(verdicts) == 5


def test_a_file_that_is_not_there_fails() -> None:
    assert failed(checks.file_checks(None, sound(0))) == {"output: exists"}


@pytest.mark.parametrize("shape", [(2, RATE - 1), (1, RATE)])
def test_another_shape_fails(shape: tuple[int, int]) -> None:
    found = Audio(np.ascontiguousarray(sound(1).samples[: shape[0], : shape[1]]), RATE)
    assert failed(checks.file_checks(found, sound(0))) == {"output: length to the sample"}


def test_another_rate_fails() -> None:
    found = Audio(sound(1).samples, 2 * RATE)
    assert failed(checks.file_checks(found, sound(0))) == {"output: length to the sample"}


def test_nan_fails_and_stays_out_of_the_figures() -> None:
    samples = sound(1).samples.copy()
    samples[0, 5] = np.nan
    verdicts = checks.file_checks(Audio(samples, RATE), sound(0))
    assert failed(verdicts) == {"output: finite"}
    assert all(verdict.value is None for verdict in verdicts)


def test_clipping_fails() -> None:
    loud = Audio(np.clip(sound(1, 2.0).samples, -1, 1), RATE)
    assert failed(checks.file_checks(loud, sound(0, 2.0))) == {"output: true peak"}


def test_silence_and_a_whisper_fail() -> None:
    silent = Audio(np.zeros((2, RATE), np.float32), RATE)
    assert failed(checks.file_checks(silent, sound(0))) == {"output: audible"}
    assert failed(checks.file_checks(sound(1, 0.01), sound(0))) == {"output: audible"}


def test_stems_that_are_the_song_pass() -> None:
    vocals, backing, converted = sound(0), sound(1), sound(2)
    song = Audio(vocals.samples + backing.samples, RATE)
    cover = Audio(converted.samples + backing.samples, RATE)
    assert failed(checks.stem_checks(song, cover, vocals, backing, converted)) == set()


def test_stems_that_are_not_the_song_fail() -> None:
    vocals, backing, converted = sound(0), sound(1), sound(2)
    song = Audio(vocals.samples + 1.001 * backing.samples, RATE)
    found = failed(checks.stem_checks(song, song, vocals, backing, converted))
    assert found == {"stems: sum to the mix", "cover: new vocal over the same band"}
    old = failed(checks.stem_checks(song, song, vocals, backing, vocals))
    assert old == {"stems: sum to the mix", "cover: the old vocal is gone"}
    short = failed(checks.stem_checks(song, song, vocals, backing, sound(2, length=100)))
    assert short == {"stems: as long as the song"}


def test_a_figure_that_must_be_there_is_asked_for() -> None:
    card = {
        "figures": {
            "pitch_rmse_hz": {"value": None, "why_not": "nothing is voiced"},
            "similarity_target": {"value": 0.7},
        }
    }
    verdicts = judged(card, "song")
    assert failed(verdicts) == {"card: pitch_rmse_hz was measured"}
    assert verdicts[0].why == "nothing is voiced"
    assert failed(judged(card, "copy")) == {
        "card: pitch_rmse_hz was measured",
        "card: stoi was measured",
    }


def test_gates_of_a_card_become_verdicts() -> None:
    gate = {
        "name": "similarity",
        "measure": "similarity_target",
        "wanted": "> 0.74",
        "protocol": "song",
        "value": 0.7,
        "status": "fail",
        "why": "",
    }
    (verdict,) = card_verdicts({"gates": [gate]})
    assert verdict == Verdict("similarity", "quality", "> 0.74", 0.7, "fail", "", "song")
    assert verdict.limit == (False, 0.74)


def test_limits_are_read_and_infinity_is_refused() -> None:
    assert Verdict("a", "check", "<= -1 dBTP", -2.0, "pass").limit == (True, -1.0)
    assert Verdict("a", "check", "<= 1.12e-06", 0.0, "pass").limit == (True, 1.12e-06)
    assert Verdict("a", "check", "> .5E+1 eggs", 6.0, "pass").limit == (False, 5.0)
    assert Verdict("a", "check", "a file", None, "pass").limit is None
    with pytest.raises(ValueError, match="finite"):
        Verdict("a", "check", "< 1", float("inf"), "fail")


def test_names_of_files_are_plain() -> None:
    assert slug("song@0-4.flac -> Kümo") == "song-0-4-flac-k-mo"
