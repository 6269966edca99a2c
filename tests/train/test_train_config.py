"""Configurations of the base training: what is shipped, what is refused, what it says."""

from __future__ import annotations

import math
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from autovoice.errors import InputError
from autovoice.train.config import SHIPPED, BaseTraining, LossWeights, MelodyMoves, changes_of, read
from autovoice.train.config import tomllib as toml
from autovoice.train.options import WEIGHTS, Moves, Options

NAMES = ("frozen", "joint", "toy")


@pytest.mark.parametrize("name", NAMES)
def test_shipped_files_say_everything(name: str) -> None:
    config = read(name)
    table = toml.loads((SHIPPED / f"{name}.toml").read_text(encoding="utf-8"))
    assert set(table["weights"]) == set(LossWeights.model_fields)
    assert set(table["moves"]) == set(MelodyMoves.model_fields)
    given = set(table) | {"steps", "judge_steps", "judge_seconds", "limit", "total_seconds"}
    assert given == set(BaseTraining.model_fields)
    assert config.phase == ("joint" if name == "joint" else "frozen")


def test_all_shipped_files_are_known() -> None:
    assert sorted(path.stem for path in SHIPPED.iterdir()) == sorted(NAMES)


def test_the_loop_reads_the_same_names_and_defaults() -> None:
    own = {"data", "out", "resume"}
    options = {field.name: field for field in fields(Options) if field.name not in own}
    assert set(options) == set(BaseTraining.model_fields)
    for name, field in options.items():
        if name not in {"phase", "device", "weights", "moves"}:
            assert field.default is not MISSING
            assert field.default == BaseTraining.model_fields[name].default, name
    assert LossWeights().model_dump() == dict(WEIGHTS)
    assert MelodyMoves().model_dump() == vars(Moves())


def test_changes_reach_the_options() -> None:
    words = [
        "batch=3",
        "weights.words=2",
        "moves.octave_share=0.5",
        "precision=off",
        "seconds=inf",
        "steps=7",
    ]
    options = read("joint", changes_of(words)).options(Path("data"), Path("out"), Path("old"))
    assert (options.batch, options.weights["words"], options.precision) == (3, 2.0, "off")
    assert (options.seconds, options.steps) == (math.inf, 7)
    assert options.weights["voice"] == 2.0
    assert options.moves == Moves(octave_share=0.5)
    assert (options.data, options.out, options.resume) == (Path("data"), Path("out"), Path("old"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["bach=3"], "bach is unknown; expected one of phase, seconds"),
        (["weights.word=3"], "weights.word is unknown; expected one of asr, style"),
        (["moves.octaves=3"], "moves.octaves is unknown; expected one of whole_share, raised"),
        (["moves.raised_share=0.9"], "found raised_share + lowered_share above 1"),
        (["batch=0"], "batch: found 0: Input should be greater"),
        (["batch=2.5"], "batch: found 2.5"),
        (["compile=1"], "compile: found 1"),
        (["weights.asr=-1"], "weights.asr: found -1"),
        (["weights.asr=nan"], "weights.asr: found nan"),
        (["precision=float16"], "precision: found 'float16'"),
        (["device=tpu"], "device: found 'tpu'"),
        (["seconds=inf"], "found no end; expected steps"),
        (["batch.x=1"], "found a value at 'batch'"),
        (["batch"], "expected KEY=VALUE"),
        (["=1"], "expected KEY=VALUE"),
    ],
)
def test_what_is_wrong_is_named(words: list[str], message: str) -> None:
    with pytest.raises(InputError, match=r"^[^\n]+$") as caught:
        read("frozen", changes_of(words))
    assert message in str(caught.value)


def test_files_that_are_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a TOML file or one of frozen, joint, toy"):
        read("froze")
    file = tmp_path / "own.toml"
    file.write_text("batch = ", encoding="utf-8")
    with pytest.raises(InputError, match=r"own\.toml: found no readable TOML"):
        read(file)
    file.write_text("batch = 2", encoding="utf-8")
    with pytest.raises(InputError, match="phase is missing"):
        read(file)
    file.write_text('phase = "joint"\n[weights]\nasr = 1', encoding="utf-8")
    assert read(file).weights.asr == 1.0
