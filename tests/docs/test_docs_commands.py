"""Every command and every Python snippet of the documentation runs, and every link leads somewhere.

Commands of ``make`` are checked with ``make -n``: the test suite itself runs below some of them. A
block that needs weights is marked ``e2e`` and runs on a short cut of the demo song.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from autovoice import io, weights
from autovoice.types import Audio

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)")
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
# Commands that run a network on audio.
SLOW = {("convert",), ("live",), ("speak",), ("sing",), ("voice", "create"), ("eval",)}
# The score of theirs is the beginning of a tune that comes with the benchmarks.
SCORE = ROOT / "benchmarks" / "scores" / "twinkle.musicxml"
SCORE_BARS = 4
# Files that the pages speak of, and how many seconds of the demo song stand for each.
SONGS = {"song.mp3": 4.0, "vocal.wav": 4.0, "singer.wav": 6.0}


@dataclass(frozen=True)
class Snippet:
    """One fenced block: where it is, its language, its text, and the output shown below it."""

    page: str
    number: int
    language: str
    text: str
    output: str = ""

    @property
    def name(self) -> str:
        return f"{self.page}-{self.number}"


def snippets(page: Path) -> list[Snippet]:
    """Return the blocks of a page; a ``text`` block right below Python is its output."""
    text = page.read_text(encoding="utf-8")
    blocks = list(FENCE.finditer(text))
    found = []
    for number, block in enumerate(blocks):
        shown = ""
        if number + 1 < len(blocks):
            below = blocks[number + 1]
            between = text[block.end() : below.start()].strip()
            if below[1] == "text" and not between:
                shown = below[2]
        found.append(Snippet(page.name, number, block[1], block[2], shown))
    return found


def commands(snippet: Snippet) -> list[str]:
    joined = snippet.text.replace("\\\n", " ")
    lines = (line.strip() for line in joined.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def autovoice_commands(snippet: Snippet) -> list[list[str]]:
    """Return the words after ``autovoice`` of each such line of a block."""
    split = [shlex.split(line) for line in commands(snippet)]
    found = [words[1:] for words in split if Path(words[0]).name == "autovoice"]
    return [words for words in found if not runs_for_ever(words)]


def runs_for_ever(words: Sequence[str]) -> bool:
    """Tell whether a command is the service itself; ``tests/server`` runs it."""
    return words[0] == "serve" and "key" not in words


def is_slow(words: Sequence[str]) -> bool:
    return any(tuple(words[: len(start)]) == start for start in SLOW)


ALL = [snippet for page in PAGES for snippet in snippets(page)]
SHELL = [(s, line) for s in ALL if s.language == "bash" for line in commands(s)]
MAKE = [line.split()[1:] for _, line in SHELL if line.startswith("make ")]
SCRIPTS = [(s.name, autovoice_commands(s)) for s in ALL if s.language == "bash"]
FAST = [(name, script) for name, script in SCRIPTS if script and not any(map(is_slow, script))]
LONG = [(name, script) for name, script in SCRIPTS if any(map(is_slow, script))]
END_TO_END = "scripts/run_e2e_tests.sh"
KNOWN = re.compile(
    rf"make |(\.venv/bin/)?autovoice |\.venv/bin/pre-commit install$|pip install |{END_TO_END}"
    r"|(JOB=\$\()?curl |scripts/build\.sh( --check| --wheel \w+)?$"
    r"|\.venv/bin/python scripts/(kernel_costs|fatbin|abi_audit)\.py"
)
PYTHON = [snippet for snippet in ALL if snippet.language == "python"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with every file that the pages speak of, cut from the demo song."""
    folder = tmp_path_factory.mktemp("desk")
    song = io.read(weights.file("demo-song", "audio_example.mp3"))
    for name, seconds in SONGS.items():
        samples = song.samples[:, : int(seconds * song.sample_rate_hz)]
        io.write(Audio(samples, song.sample_rate_hz), folder / name)
    bars = SCORE.read_text(encoding="utf-8").split("</measure>")
    tune = "</measure>".join([*bars[:SCORE_BARS], bars[-1]])
    (folder / "song.musicxml").write_text(tune, encoding="utf-8")
    return folder


def run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in ``folder``, with a home for stored voices of its own."""
    environment = {**os.environ, "AUTOVOICE_DATA_DIR": str(folder / "data"), "COLUMNS": "100"}
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def autovoice(words: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "-m", "autovoice", *words], folder)


def test_the_pages_are_read() -> None:
    readme = [snippet.language for snippet in ALL if snippet.page == "README.md"]
    assert readme.count("bash") >= 3
    assert readme.count("python") >= 2
    assert ["demo"] in MAKE
    assert any(script[0][:2] == ["convert", "song.mp3"] for _, script in LONG)


def test_every_command_is_of_a_kind_that_is_tested() -> None:
    assert [line for _, line in SHELL if not KNOWN.match(line)] == []


@pytest.mark.parametrize("words", MAKE, ids=" ".join)
def test_make_knows_the_target(words: list[str]) -> None:
    done = run(["make", "-C", str(ROOT), "-n", *words], ROOT)
    assert done.returncode == 0, done.stderr


def test_the_end_to_end_script_knows_its_options() -> None:
    """With ``--list`` it says what it would run, after reading the other options."""
    lines = [shlex.split(line) for _, line in SHELL if line.startswith(END_TO_END)]
    assert lines
    for line in lines:
        done = run([str(ROOT / line[0]), *line[1:], "--list"], ROOT)
        assert done.returncode == 0, done.stderr
        assert "song to cover" in done.stdout


def test_the_build_script_looks_for_what_it_needs() -> None:
    """It says what is there and returns 0, or says what is missing and returns 2."""
    lines = [shlex.split(line) for _, line in SHELL if line.startswith("scripts/build.sh")]
    assert ["scripts/build.sh", "--check"] in lines
    done = run([str(ROOT / "scripts" / "build.sh"), "--check"], ROOT)
    assert done.returncode in {0, 2}
    assert ("MISSING" in done.stderr) == (done.returncode == 2)


def test_the_scripts_of_the_kernels_run() -> None:
    """Those that read a compiled file explain themselves without one."""
    lines = [shlex.split(line)[1:] for _, line in SHELL if line.startswith(".venv/bin/python ")]
    assert len(lines) >= 3
    for name, *files in lines:
        done = run([sys.executable, str(ROOT / name)], ROOT)
        assert done.returncode == (2 if files else 0), done.stderr
        assert ("Print" in done.stdout + done.stderr or "Check" in done.stderr) == bool(files)


def test_pip_install_names_what_is_there() -> None:
    for _, line in SHELL:
        if line.startswith("pip install"):
            assert line.split()[2:] == ["-c", "constraints.txt", "-e", "."]
            assert (ROOT / "constraints.txt").is_file()


def test_pre_commit_reads_its_configuration() -> None:
    done = run([sys.executable, "-m", "pre_commit", "validate-config"], ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("script", [s for _, s in FAST], ids=[name for name, _ in FAST])
def test_commands_run(script: list[list[str]], tmp_path: Path) -> None:
    for words in script:
        done = autovoice(words, tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout


@pytest.mark.e2e
@pytest.mark.parametrize("script", [s for _, s in LONG], ids=[name for name, _ in LONG])
def test_commands_on_audio_run(script: list[list[str]], desk: Path) -> None:
    for words in script:
        done = autovoice(words, desk)
        assert done.returncode == 0, done.stderr
        if words[0] == "convert":
            length_s = io.read(desk / words[words.index("-o") + 1]).seconds
            assert length_s == pytest.approx(SONGS[words[1]], abs=0.1)


@pytest.mark.e2e
@pytest.mark.parametrize("snippet", PYTHON, ids=[snippet.name for snippet in PYTHON])
def test_python_runs_and_prints_what_is_shown(snippet: Snippet, desk: Path) -> None:
    done = run([sys.executable, "-W", "error", "-c", snippet.text], desk)
    assert done.returncode == 0, done.stderr
    if snippet.output:
        assert NUMBER.sub("#", done.stdout) == NUMBER.sub("#", snippet.output)


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_lead_to_files(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
