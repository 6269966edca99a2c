from __future__ import annotations

import pytest

from autovoice.speak.chapters import chapters


def titles(text: str) -> list[str]:
    return [chapter.title for chapter in chapters(text)]


def test_markdown_headings() -> None:
    text = "A foreword.\n\n# One\n\nIt was cold.\n\n## Two\nNobody spoke.\n"
    assert titles(text) == ["A foreword.", "One", "Two"]
    assert chapters(text)[1].text == "# One\n\nIt was cold."


@pytest.mark.parametrize(
    "heading",
    ["Chapter 1", "CHAPTER IV", "Chapter One: The river", "Kapitel 3", "Chapitre II.", "Prologue"],
)
def test_words_for_a_chapter(heading: str) -> None:
    found = chapters(f"{heading}\n\nIt was cold.\n\n{heading}\n\nNobody spoke.")
    assert len(found) == 2
    assert found[0].title == heading


@pytest.mark.parametrize(
    "line", ["Chapter and verse were quoted to him that day.", "Part of me knew it.", "Chapters"]
)
def test_sentences_are_no_headings(line: str) -> None:
    assert len(chapters(f"It was cold.\n{line}\nNobody spoke.")) == 1


def test_without_headings_wide_gaps_divide() -> None:
    text = "one.\n\nstill one.\n\n\ntwo.\r\n\r\n\r\n\r\nthree."
    assert titles(text) == [
        "one.",
        "two.",
        "three.",
    ]


def test_one_chapter_and_none() -> None:
    assert titles("one.\n\nstill one.") == ["one."]
    assert chapters(" \n* * *\n\n\n\n---\n") == []


def test_nothing_is_lost() -> None:
    text = "Before.\n# A\nx\n\n\ny\n# B\nz"
    joined = "".join(chapter.text for chapter in chapters(text))
    assert joined.replace("\n", "") == text.replace("\n", "")


def test_titles_are_short() -> None:
    (only,) = chapters("word " * 100)
    assert len(only.title) == 60
    assert only.title.endswith("...")
