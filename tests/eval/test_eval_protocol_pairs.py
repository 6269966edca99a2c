"""What a folder holds, and which pairs are made of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from protocol_standins import LINES, folder, manifest

from autovoice.errors import InputError
from autovoice.eval.protocol import Item, Pair, all_pairs, only_named, quick_pairs, read_items
from autovoice.eval.protocol.items import known_stems

REAL = Path(__file__).resolve().parents[3] / "shared" / "eval"


@pytest.fixture
def items(tmp_path: Path) -> tuple[Item, ...]:
    return read_items(folder(tmp_path / "eval"))


def named(pairs: list[Pair]) -> list[tuple[str, str, str]]:
    return [(pair.source.name, pair.target.name, pair.group) for pair in pairs]


def test_the_manifest_is_read_and_its_guesses_count(items: tuple[Item, ...]) -> None:
    by_name = {item.name: item for item in items}
    assert [by_name[name].language for name in ("ann_acap", "bob_acap", "eva")] == ["en", "", "en"]
    assert by_name["ann_acap"].sex == "f"  # as her speech says
    assert by_name["made_acc"].sex == ""
    assert by_name["ann_acap"].seconds == 3.0
    assert by_name["eva"].path.is_file()


def test_stems_of_a_mix_are_found_by_name(items: tuple[Item, ...]) -> None:
    by_name = {item.name: item for item in items}
    stems = known_stems(items, by_name["made_mix"])
    assert stems is not None
    assert [stem.name for stem in stems] == ["made_voc", "made_acc"]
    assert known_stems(items, by_name["eva"]) is None


def test_what_is_wrong_with_a_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found no manifest.*expected an evaluation folder"):
        read_items(tmp_path)
    place = folder(tmp_path / "eval")
    (place / "eva.wav").unlink()
    (place / "tom.wav").unlink()
    with pytest.raises(InputError, match=r"not there: eva.wav, tom.wav"):
        read_items(place)
    manifest(place, [*LINES[:2], LINES[0]])
    with pytest.raises(InputError, match="found twice: ann_acap"):
        read_items(place)
    manifest(place, [("ann_acap.wav", "opera", "", "", "", 1)])
    with pytest.raises(InputError, match=r"line 2: kind: found 'opera'"):
        read_items(place)
    manifest(place, [("ann_acap.wav", "acapella", "", "", "", "long")])
    with pytest.raises(InputError, match=r"line 2: seconds: found 'long'"):
        read_items(place)
    (place / "manifest.csv").write_text("file,kind\n")
    with pytest.raises(InputError, match="no column speaker_id, sex, language, seconds"):
        read_items(place)


def test_every_pair_of_the_protocol_is_made(items: tuple[Item, ...]) -> None:
    assert named(all_pairs(items)) == [
        ("ann_acap", "eva", "song"),
        ("ann_acap", "tom", "song"),
        ("bob_acap", "eva", "song"),
        ("bob_acap", "tom", "song"),
        ("made_mix", "eva", "mix"),
        ("made_mix", "tom", "mix"),
        ("ann_acap", "ann_speech", "song"),
        ("eva", "tom", "speech"),
        ("tom", "eva", "speech"),
        ("ann_acap", "ann_acap", "copy"),
        ("bob_acap", "bob_acap", "copy"),
        ("eva", "eva", "copy"),
        ("tom", "tom", "copy"),
    ]
    assert [pair.separate for pair in all_pairs(items)].count(True) == 2


def test_the_quick_run_is_chosen_by_rule(items: tuple[Item, ...]) -> None:
    chosen = quick_pairs(items, all_pairs(items))
    groups = Counter(pair.group for pair in chosen)
    assert len(chosen) == len(set(chosen)) == 8
    assert groups["mix"] >= 1
    assert groups["speech"] >= 1
    assert groups["copy"] >= 1
    sexes = {p.source.sex + p.target.sex for p in chosen if p.group == "song"}
    assert {"fm", "mf"} <= sexes


def test_a_small_folder_gives_what_it_has(tmp_path: Path) -> None:
    few = read_items(folder(tmp_path / "eval", LINES[3:5]))
    chosen = quick_pairs(few, all_pairs(few))
    assert sorted(named(chosen)) == sorted(named(all_pairs(few)))
    assert quick_pairs((), []) == []


def test_a_mix_whose_stems_are_known_is_preferred(tmp_path: Path) -> None:
    other = ("another_mix.wav", "song_mix", "bob", "m", "en", 2.0)
    items = read_items(folder(tmp_path / "eval", [other, *LINES]))
    (mix,) = [p.source.name for p in quick_pairs(items, all_pairs(items)) if p.separate][:1]
    assert mix == "made_mix"


def test_pairs_are_kept_by_pattern(items: tuple[Item, ...]) -> None:
    pairs = all_pairs(items)
    assert only_named(pairs, ()) == pairs
    assert named(only_named(pairs, ["ann_acap -> *o*", "made*"])) == [
        ("ann_acap", "tom", "song"),
        ("made_mix", "eva", "mix"),
        ("made_mix", "tom", "mix"),
    ]
    assert {p.target.name for p in only_named(pairs, ["tom"])} == {"tom", "eva"}
    with pytest.raises(InputError, match="'nobody' fits no pair; there are ann_acap, eva"):
        only_named(pairs, ["tom", "nobody"])


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/eval is not there")
def test_the_real_folder_makes_the_pairs_of_its_protocol() -> None:
    items = read_items(REAL)
    pairs = all_pairs(items)
    assert Counter(pair.group for pair in pairs) == {
        "song": 78,
        "mix": 27,
        "speech": 72,
        "copy": 17,
    }
    chosen = quick_pairs(items, pairs)
    assert Counter(p.group for p in chosen) == {"song": 5, "mix": 1, "speech": 1, "copy": 1}
    assert {p.source.sex + p.target.sex for p in chosen} >= {"fm", "mf", "ff", "mm"}
    assert len({pair.source.language for pair in chosen} - {""}) >= 3
