from __future__ import annotations

from pathlib import Path

import pytest

from autovoice.cli.lexicon import read_lexicon
from autovoice.errors import InputError


def test_lines_and_json_say_the_same(tmp_path: Path) -> None:
    lines, json_file = tmp_path / "a.txt", tmp_path / "a.json"
    lines.write_text("\ufeff# names\n\nkumo\tkˈumO\n Siân \t ʃˈɑn \n", encoding="utf-8")
    json_file.write_text('{"kumo": "kˈumO", "Siân": "ʃˈɑn"}', encoding="utf-8")
    assert read_lexicon(lines) == read_lexicon(json_file) == {"kumo": "kˈumO", "Siân": "ʃˈɑn"}


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.txt", b"kumo kumo\n", r"line 1: found 'kumo kumo', expected a word, a tab"),
        ("a.txt", b"a\tb\n\tb\n", r"line 2"),
        ("a.txt", b"a\t \n", r"line 1"),
        ("a.txt", b"\xff\xfe\n", r"UTF-8"),
        ("a.json", b"{", r"no JSON"),
        ("a.json", b"[1]", r"expected an object"),
        ("a.json", b'{"a": 1}', r"expected an object"),
        ("a.json", b'{"a": " "}', r"expected an object"),
    ],
)
def test_other_files_are_told(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError, match=said):
        read_lexicon(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_lexicon(tmp_path / "none.txt")
