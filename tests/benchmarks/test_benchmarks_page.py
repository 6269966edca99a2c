"""The page of benchmarks: sections keep their place, figures say whether the goal is reached."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from benchmarks.page import Section, against, write

from autovoice import io, weights
from autovoice.bench.tables import table
from benchmarks import __main__ as command
from benchmarks import machine, page, process, songs, startup

ABOUT = {"machine": "a CPU", "commit": "abc"}
RESULT = {
    "output": "cover.wav",
    "seconds": 10.0,
    "timings": {"read": 1.0, "vocode": 14.0, "total": 16.0, "score": 1.0},
    "score": {"pitch_error_cents": 5.0, "similarity_target": None},
}


def test_a_new_section_goes_below_and_an_old_one_is_replaced_in_place(tmp_path: Path) -> None:
    target = tmp_path / "benchmarks.md"
    write(Section("one", "One", "first \\1 text", {"x": 1}), ABOUT, target)
    write(Section("two", "Two", "second text"), ABOUT, target)
    write(Section("one", "One", "newer text", {"x": 2}), ABOUT, target)
    text = target.read_text(encoding="utf-8")
    assert "first" not in text
    assert text.index("newer text") < text.index("second text")
    assert text.count("## One") == text.count("# Benchmarks") == 1
    assert "- commit: abc" in text
    raw = json.loads((tmp_path / "benchmarks" / "one.json").read_text(encoding="utf-8"))
    assert raw == {"about": ABOUT, "x": 2}
    assert not list(tmp_path.rglob("*.part"))


def test_what_people_wrote_around_the_sections_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "b.md"
    write(Section("one", "One", "old"), ABOUT, target)
    target.write_text(target.read_text(encoding="utf-8") + "\nA word.\n", encoding="utf-8")
    write(Section("one", "One", "new"), ABOUT, target)
    assert target.read_text(encoding="utf-8").endswith("<!-- one: end -->\n\nA word.\n")


def test_goals_are_upper_or_lower_limits() -> None:
    assert against(2.0, 3.0, "{:.1f}") == ("2.0", "<= 3.0", "yes")
    assert against(3.1, 3.0, "{:.1f}") == ("3.1", "<= 3.0", "**no**")
    assert against(0.9, 0.93, "{:.2f}", least=True) == ("0.90", ">= 0.93", "**no**")
    assert table(["a", "b"], [(1, 2)]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_a_process_is_measured_by_itself() -> None:
    """A second, small child must not inherit the peak of a large first one.

    It does inherit that of its parent at the fork, so the parent is a fresh process here.
    """
    code = """
from benchmarks.process import python
large = python("-c", "x = bytearray(200_000_000); x[::4096] = b'1' * len(x[::4096])")
small = python("-c", "print('hello')")
print(large.peak_bytes, small.peak_bytes, small.cpu_s, small.wall_s, small.stdout)"""
    large, small, cpu_s, wall_s, said = process.python("-c", code).stdout.split()
    assert int(large) > 200e6
    assert int(small) < int(large) - 100e6
    assert 0 < float(cpu_s) < 10
    assert float(wall_s) > 0
    assert said == "hello"


def test_a_failed_process_says_why() -> None:
    with pytest.raises(SystemExit, match=r"exit 3\n.*too bad"):
        process.python("-c", "import sys; print('too bad', file=sys.stderr); sys.exit(3)")


def test_the_machine_is_described(tmp_path: Path) -> None:
    found = machine.about("python -m benchmarks demo", root=tmp_path)
    assert list(found) == ["machine", "system", "versions", "commit", "date", "command"]
    assert found["commit"] == "unknown"
    assert "torch 2" in found["versions"]
    assert "GB of memory" in found["machine"]
    assert machine.commit(machine.ROOT) not in ("", "unknown")
    assert machine.cpu_model(tmp_path / "none")


def done(stdout: str, wall_s: float) -> process.Done:
    return process.Done(stdout, wall_s, 30.0, 1_200_000_000)


def test_the_fastest_run_of_the_demo_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    walls = iter([31.0, 20.0])
    calls: list[tuple[str, ...]] = []

    def python(*words: str) -> process.Done:
        calls.append(words)
        return done(json.dumps(RESULT), next(walls))

    monkeypatch.setattr(songs, "python", python)
    section = songs.demo(runs=2)
    assert calls[0][:4] == ("-m", "autovoice", "convert", "demo")
    assert "31.0, 20.0 s of wall time" in section.body
    assert "| x real time, in all | 2.00 | <= 3.00 | yes |" in section.body
    assert "| peak memory, GB | 1.20 | <= 2.50 | yes |" in section.body
    assert "| vocode | 14.00 | 1.400 |" in section.body
    assert "| start, writing | 3.00 | 0.300 |" in section.body
    assert "similarity" not in section.body
    assert "output" not in section.raw["runs"][0]["result"]


def test_the_long_song_is_the_demo_song_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    song = io.read(weights.file("demo-song", "audio_example.mp3"))
    path = songs.repeated_demo(tmp_path / "long.flac", 0.3)
    long = io.read(path)
    assert long.length_samples == round(18 * song.sample_rate_hz)
    once = long.samples[:, : song.length_samples]
    again = long.samples[:, song.length_samples :]
    assert abs(once[:, : again.shape[1]] - again).max() < 1e-4

    monkeypatch.setattr(songs, "python", lambda *words: done(json.dumps(RESULT), 20.0))
    assert "| peak memory, GB | 1.20 | <= 3.00 | yes |" in songs.long(minutes=0.01).body


def test_the_start_is_the_least_of_its_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    spent = iter(["0.9", "0.2"])

    def python(*words: str) -> process.Done:
        return done(next(spent) if words[0] == "-c" else "", 1.0)

    monkeypatch.setattr(startup, "python", python)
    body = startup.startup(runs=2).body
    assert "0.200 | <= 0.500 | yes" in body
    assert "1.000 | <= 0.800 | **no**" in body


def test_the_command_line_runs_what_is_named_and_records_how_to_repeat_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "use_cores", lambda wanted: None)
    monkeypatch.setattr(
        songs, "long", lambda *, minutes, device: Section("long", "Long", f"{minutes} minutes")
    )
    target = tmp_path / "b.md"
    nothing = str(tmp_path / "none")
    words = ["long", "protocol", "--minutes", "0.5", "--eval-folder", nothing]
    command.main([*words, "--page", str(target)])
    text = target.read_text(encoding="utf-8")
    assert "0.5 minutes" in text
    assert "- command: `python -m benchmarks long --minutes 0.5`" in text
    assert str(tmp_path) not in text
    assert "protocol: begin" not in text


def test_an_unknown_benchmark_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["speed"])
    assert "expected demo, startup, long, speech, spoken, sung, protocol" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a process to some cores")
def test_fewer_cores_may_be_used() -> None:
    code = "from benchmarks.machine import *; use_cores(1); print(usable_cores())"
    assert process.python("-c", code).stdout == "1\n"
    assert page.HEAD.startswith("# Benchmarks")
