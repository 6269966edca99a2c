from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import autovoice
from autovoice.types import ScoreCard

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from standins import builders, song, voice

PUBLIC = [
    "Audio",
    "AutoVoiceError",
    "Cancelled",
    "Conversion",
    "Engine",
    "InputError",
    "Performance",
    "Progress",
    "ResourceError",
    "ScoreCard",
    "UnsupportedAudio",
    "Voice",
    "VoiceError",
    "WeightsError",
    "__version__",
    "convert",
    "sing",
    "speak",
]


def test_the_public_surface_is_closed() -> None:
    assert sorted(autovoice.__all__) == PUBLIC
    assert dir(autovoice) == PUBLIC
    for name in PUBLIC:
        assert getattr(autovoice, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'transmogrify'"):
        _ = autovoice.transmogrify  # type: ignore[attr-defined]


def test_the_types_tell_of_the_same_names() -> None:
    stub = Path(autovoice.__file__).with_suffix(".pyi").read_text()
    named = set(re.findall(r" as (\w+)$|^def (\w+)|^(__version__)", stub, re.MULTILINE))
    assert {next(filter(None, found)) for found in named} == set(PUBLIC)


def test_importing_loads_no_heavy_package() -> None:
    code = "import sys, autovoice; print(sorted({'torch', 'numpy', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_convert_scores_what_it_makes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from autovoice.engine import Engine

    card = ScoreCard(1.0, 1.0, 0.9, 0.5, 0.4, 0, 0)
    seen: list[int] = []

    def score(output: object, vocals: object, reference: object, semitones: int) -> ScoreCard:
        seen.append(semitones)
        return card

    def engine(device: str, vram_bytes: object) -> Engine:
        return Engine(device, data_dir=tmp_path, builders=builders())

    monkeypatch.setattr("autovoice.engine.Engine", engine)
    monkeypatch.setitem(
        sys.modules,
        "autovoice.eval.summary",
        SimpleNamespace(score=score),  # type: ignore[arg-type]
    )
    result = autovoice.convert(song(1.0), voice(), device="cpu", semitones=-3)
    assert result.score == card
    assert seen == [-3]


def _left_with(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    from autovoice.cli.main import main

    with pytest.raises(SystemExit) as leaving:
        main(list(words))
    out, err = capsys.readouterr()
    return int(leaving.value.code or 0), out, err


def test_the_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _left_with(capsys, "--help")
    assert code == 0
    assert all(f"  {name} " in out for name in ("convert", "voice", "models", "doctor"))
    code, _, err = _left_with(capsys, "whistle")
    assert code == 2
    assert "No such command" in err
    for name in ("convert", "voice", "models", "doctor"):
        assert _left_with(capsys, name, "--help")[0] == 0


def test_verbose_shows_where_an_error_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("voice", "show", "no/name")
    assert "Traceback" not in _left_with(capsys, *words)[2]
    code, _, err = _left_with(capsys, "--verbose", *words)
    assert code == 2
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("error: voice 'no/name'")


def test_a_reader_that_goes_away_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    from autovoice.cli import main

    def gone(**options: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(main.autovoice, "main", gone)
    monkeypatch.setattr(main.sys, "stderr", SimpleNamespace(close=lambda: None))
    with pytest.raises(SystemExit) as leaving:
        main.main([])
    assert leaving.value.code == 1


def test_warnings_of_the_library_are_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    import logging

    _left_with(capsys, "voice", "list")
    logging.getLogger("autovoice.somewhere").warning("two\nlines")
    assert capsys.readouterr().err == "warning: two lines\n"
