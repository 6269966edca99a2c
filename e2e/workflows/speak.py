"""A text is spoken by a built-in voice and by a cloned one; a book goes on where it was cut off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from e2e import checks
from e2e.conversions import card_verdicts, judged, reported, slug
from e2e.records import Case, Verdict
from e2e.setting import Setting

# Ten of the Harvard sentences (IEEE 1969): enough that one misheard word is not the whole figure.
TEXT = (
    "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. "
    "It's easy to tell the depth of a well. These days a chicken leg is a rare dish. "
    "Rice is often served in round bowls. The juice of lemons makes fine punch. "
    "Four hours of steady work faced us. The boy was there when the sun rose. "
    "A rod is used to catch pink salmon. Kick the ball straight and follow through."
)
BUILTIN, MORE_BUILTIN = ("kumo",), ("alpha", "gongitsune", "nezumi", "tebukuro")
CLONED, MORE_CLONED = (
    ("libri_testother_367",),
    ("libri_testother_2414", "ravdess_actor21", "ravdess_actor22"),
)
LEAST_S, MOST_S = 20.0, 45.0
BOOK = "# One\n\nThe river was cold that morning.\n\n# Two\n\nNobody spoke.\n"


def run(setting: Setting) -> Iterator[Case]:
    """Speak ten sentences with built-in voices, and judge them."""
    for voice in (*BUILTIN, *MORE_BUILTIN) if setting.full else BUILTIN:
        yield _spoken(setting, voice, voice)
    yield _book(setting)
    yield _nothing_to_say(setting)


def run_cloned(setting: Setting) -> Iterator[Case]:
    """Speak ten sentences with voices that are known from a recording of half a minute."""
    for name in (*CLONED, *MORE_CLONED) if setting.full else CLONED:
        yield _spoken(setting, setting.materials.recording(name), name)


def _spoken(setting: Setting, voice: str | Path, called: str) -> Case:
    name = f"ten sentences -> {called}"
    path = setting.folder / f"{slug(name)}.wav"
    done = setting.autovoice(
        "speak", TEXT, "--voice", voice, "-o", path, "--report", setting.folder / "speech",
        "--device", setting.device, "--json",
    )  # fmt: skip
    result = done.json()
    audio = checks.read(path)
    card, page = reported(result)
    verdicts = [
        # Its own source: only level and finiteness can be asked of sound that is made of text.
        *(checks.file_checks(audio, audio) if audio else [checks.exists(audio)]),
        _length(audio.seconds if audio else 0.0),
        *page,
        *judged(card, "text"),
        *card_verdicts(card),
    ]
    heard = (card.get("words") or {}).get("output", "")
    timings = {"command": done.seconds, "first audio": result["first_audio_s"]}
    notes = (f"heard: {heard}", *result["notes"])
    return Case(name, tuple(verdicts), card["figures"], (done.words,), timings, notes)


def _length(seconds: float) -> Verdict:
    wanted = f"{LEAST_S:g} to {MOST_S:g} s"
    return checks.truth("output: length", LEAST_S <= seconds <= MOST_S, wanted, f"{seconds:.1f} s")


def _book(setting: Setting) -> Case:
    """Speak two chapters, then all again: the second time nothing is left to do."""
    path = setting.folder / "book.flac"
    words = ("speak", BOOK, "--voice", BUILTIN[0], "-o", path, "--chapters",
             "--device", setting.device, "--json")  # fmt: skip
    first = setting.autovoice(*words)
    second = setting.autovoice(*words)
    kept = [chapter["kept"] for chapter in second.json()["chapters"]]
    audio = checks.read(path)
    wanted = first.json()["seconds"]
    found = audio.seconds if audio else 0.0
    verdicts = (
        checks.exists(audio),
        checks.truth("chapters are kept", kept == [True, True], "2 chapters kept", str(kept)),
        checks.truth(
            "book: length", abs(found - wanted) < 0.01, f"{wanted:.2f} s", f"{found:.2f} s"
        ),
    )
    return Case("a book, twice", verdicts, {}, (first.words, second.words))


def _nothing_to_say(setting: Setting) -> Case:
    """Refuse what has no words: no silence is passed off as speech."""
    path = setting.folder / "nothing.wav"
    done = setting.autovoice("speak", "?! ...", "--voice", BUILTIN[0], "-o", path, expect=None)
    verdicts = (
        checks.truth("exit code", done.code == 2, "2 (bad input)", str(done.code)),
        checks.truth("nothing is written", not path.exists(), "no file", "a file"),
        checks.truth("the error says why", "text" in done.stderr, "a reason", done.stderr[-200:]),
    )
    return Case("a text without words", verdicts, {}, (done.words,))
