"""A text is spoken by a built-in voice, where the command exists."""

from __future__ import annotations

from collections.abc import Iterator

from autovoice.eval.cer import character_error_rate
from autovoice.eval.figure import NotApplicable
from autovoice.eval.words import Transcriber
from e2e import checks
from e2e.conversions import slug
from e2e.records import Case, Status, Verdict
from e2e.setting import Setting

TEXT = "When I was young, I listened to the radio, waiting for my favourite songs."
MOST_CER = 0.2
LEAST_S, MOST_S = 2.0, 12.0


def run(setting: Setting) -> Iterator[Case]:
    """Speak a sentence, and listen whether it can be understood."""
    from autovoice.cli.main import COMMANDS

    if "speak" not in COMMANDS:
        raise NotApplicable(
            "`autovoice speak` does not exist yet: found the commands " + ", ".join(COMMANDS)
        )
    for voice in ("kumo", "alpha", "gongitsune") if setting.full else ("kumo",):
        yield _spoken(setting, voice)


def _spoken(setting: Setting, voice: str) -> Case:
    name = f"a sentence -> {voice}"
    path = setting.folder / f"{slug(name)}.wav"
    done = setting.autovoice("speak", TEXT, "--voice", voice, "-o", path)
    audio = checks.read(path)
    if audio is None:
        missing = checks.truth("output: exists", False, "a file", "no file was written")
        return Case(name, (missing,), {}, (done.words,))
    heard = Transcriber().transcribe(audio, "en").text
    error = character_error_rate(heard, TEXT)
    wanted = f"<= {MOST_CER:g} of the characters wrong"
    if error is None:
        understood = checks.truth("words: heard", False, TEXT, heard)
    else:
        status: Status = "pass" if error <= MOST_CER else "fail"
        understood = Verdict("words", "quality", wanted, error, status)
    length = checks.truth(
        "output: length",
        LEAST_S <= audio.seconds <= MOST_S,
        f"{LEAST_S:g} to {MOST_S:g} s",
        f"{audio.seconds:.1f} s",
    )
    # Its own source: only level and finiteness can be asked of sound that is made of text.
    verdicts = (*checks.file_checks(audio, audio), length, understood)
    return Case(name, verdicts, {}, (done.words,), {"command": done.seconds}, (f"heard: {heard}",))
