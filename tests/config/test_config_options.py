from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autovoice.config import (
    PRESETS,
    ConvertOptions,
    format_bytes,
    options_from,
    parse_bytes,
    preset,
)
from autovoice.errors import InputError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4G", 4 << 30),
        ("4GB", 4 << 30),
        ("1.5GiB", 3 << 29),
        ("512m", 512 << 20),
        (1 << 21, 1 << 21),
    ],
)
def test_amounts_of_memory_are_powers_of_1024(text: str | int, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "four", "-4G", "4X", "4", "nan", "inf", "9999999T", "4 G G"])
def test_amounts_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="amount of memory"):
        parse_bytes(text)


@given(st.integers(1 << 20, 1 << 45))
def test_written_amounts_keep_their_size(size: int) -> None:
    assert abs(parse_bytes(format_bytes(size)) - size) <= 0.06 * size


def test_defaults_are_those_of_the_contract() -> None:
    options = ConvertOptions()
    assert (options.semitones, options.separate, options.preset) == ("auto", True, "balanced")
    assert (options.device, options.vram_bytes, options.seed) == ("auto", None, 0)


@pytest.mark.parametrize(
    ("given_value", "kept"), [("auto", "auto"), ("-24", -24), ("+3", 3), (0, 0), (24, 24)]
)
def test_semitones_are_numbers_or_auto(given_value: object, kept: object) -> None:
    assert options_from({"semitones": given_value}).semitones == kept


@pytest.mark.parametrize("wrong", [25, -25, "25", "high", 1.5, None, "", True, "٣", "--3"])
def test_semitones_out_of_range_are_refused(wrong: object) -> None:
    with pytest.raises(InputError, match="expected -24 to 24 or 'auto'"):
        options_from({"semitones": wrong})


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("device", "tpu"),
        ("device", "cuda:"),
        ("device", "cpu\n"),
        ("preset", "ultra"),
        ("seed", -1),
        ("seed", 1 << 63),
        ("vram_bytes", "lots"),
        ("vram_bytes", 5),
        ("separate", "yes"),
    ],
)
def test_other_options_are_checked(key: str, wrong: object) -> None:
    with pytest.raises(InputError, match=key):
        options_from({key: wrong})


def test_unknown_options_are_errors_and_named() -> None:
    with pytest.raises(InputError, match="'semitone' is unknown; expected one of semitones"):
        options_from({"semitone": 3})


def test_vram_is_read_from_text() -> None:
    assert options_from({"vram_bytes": "2G"}).vram_bytes == 2 << 30


def test_presets_are_ordered_by_cost() -> None:
    lengths = [PRESETS[name].chunk_s for name in ("fast", "balanced", "best")]
    assert lengths == sorted(lengths)
    assert preset("best") is PRESETS["best"]
    with pytest.raises(InputError, match="fast, balanced, best"):
        preset("worst")


def test_presets_leave_room_to_fade_inside_the_context() -> None:
    assert all(p.crossfade_s / 2 <= p.context_s for p in PRESETS.values())


def test_settings_do_not_load_torch() -> None:
    code = "import sys, autovoice.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
