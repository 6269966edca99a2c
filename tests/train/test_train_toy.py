"""A toy run of the base training on the CPU, as somebody would run it."""

from __future__ import annotations

import csv
import json
import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import made_corpus
import pytest
import small_networks
import torch

from autovoice.cli.main import main
from autovoice.train import checkpoint, loop
from autovoice.train.trainer import Trainer

STEPS = 200
LEARNT = ("asr", "style", "mel_synthetic", "mel_real")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    made_corpus.write_corpus(folder, seconds=2.0)
    made_corpus.write_bank(folder / "phonemes.npz")
    return folder


@pytest.fixture(scope="module", autouse=True)
def _small() -> Iterator[pytest.MonkeyPatch]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "build", small_networks.build)
        yield patch
    torch.set_num_threads(threads)


def train(data: Path, out: Path, *words: object, config: str = "toy") -> int:
    """Run the command; return its exit code."""
    flags = ["--config", config, "--data", data, "--out", out, "--device", "cpu", *words]
    with pytest.raises(SystemExit) as leaving:
        main(["train", "base", *(str(word) for word in flags)])
    return int(leaving.value.code or 0)


def rows_of(out: Path) -> list[dict[str, Any]]:
    lines = (out / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


class Gradients:
    """Watch every gradient that the optimiser is given."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.reached: dict[str, set[str]] = defaultdict(set)
        self.names: set[str] = set()
        self.finite = True
        improve = Trainer._improve

        def watched(one: Trainer) -> None:
            for name, weight in one.nets.named_parameters():
                if weight.grad is not None:
                    self.finite &= bool(torch.isfinite(weight.grad).all())
                    if bool(weight.grad.any()):
                        self.reached[name.split(".")[0]].add(name)
            self.names = {name for name, _ in one.nets.named_parameters()}
            improve(one)

        patch.setattr(Trainer, "_improve", watched)

    def missed(self, part: str) -> set[str]:
        """Return the weights of a part that no gradient reached."""
        return {name for name in self.names if name.startswith(part + ".")} - self.reached[part]


@pytest.fixture(scope="module")
def toy(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Gradients]:
    """200 steps of phase frozen: the folder and the gradients."""
    out = tmp_path_factory.mktemp("toy")
    with pytest.MonkeyPatch.context() as patch:
        gradients = Gradients(patch)
        assert train(data, out, "--steps", STEPS, "--set", "report_every=20") == 0
    return out, gradients


def test_losses_fall(toy: tuple[Path, Gradients]) -> None:
    out, _ = toy
    rows = rows_of(out)
    assert [row["at"] for row in rows[:2]] == ["ready", "judge"]
    assert rows[-1]["at"] == "end"
    steps = [row for row in rows if "asr" in row]
    assert [row["step"] for row in steps] == list(range(20, STEPS + 1, 20))
    for name in LEARNT:
        assert steps[-1][name] < 0.95 * steps[0][name], name
    assert all(math.isfinite(v) for row in rows for v in row.values() if isinstance(v, float))


def test_gradients_are_finite_and_reach_every_trained_weight(
    toy: tuple[Path, Gradients],
) -> None:
    _, gradients = toy
    assert gradients.finite
    assert gradients.missed("adapter") == set()
    assert gradients.missed("style") == set()
    assert set(gradients.reached) == {"adapter", "style"}


def test_the_checkpoint_loads(toy: tuple[Path, Gradients]) -> None:
    out, _ = toy
    facts = checkpoint.facts(out, "model")
    assert (facts["phase"], facts["step"], facts["total_seconds"]) == ("frozen", STEPS, None)
    assert float(str(facts["spent_s"])) > 0
    nets = small_networks.SmallNetworks()
    before = {name: value.clone() for name, value in nets.state_dict().items()}
    saved = checkpoint.load(out, "model")
    assert {name.split(".")[0] for name in saved} == {"adapter", "style"}
    loop_state = {**before, **saved}
    nets.load_state_dict(loop_state)
    for name, weight in nets.adapter.named_parameters():
        assert torch.equal(weight, saved["adapter." + name])


def test_the_table_has_a_row_for_each_report(toy: tuple[Path, Gradients]) -> None:
    out, _ = toy
    with (out / "metrics.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    rows = rows_of(out)
    assert [row["at"] for row in table] == [row["at"] for row in rows]
    for read, row in zip(table, rows, strict=True):
        assert {name: text for name, text in read.items() if text} == {
            name: str(value) for name, value in row.items()
        }


def test_a_resumed_run_goes_on(
    toy: tuple[Path, Gradients], data: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out, _ = toy
    code = train(data, tmp_path, "--steps", STEPS + 10, "--resume", out, "--json")
    record = json.loads(capsys.readouterr().out)
    assert (code, record["resumed_at"], record["steps"]) == (0, STEPS, STEPS + 10)
    assert record["losses"]["mel_real"] > 0
    rows = [row for row in rows_of(tmp_path) if "asr" in row]
    assert [row["step"] for row in rows] == [STEPS + 5, STEPS + 10]
    assert "judge" not in {row["at"] for row in rows_of(tmp_path)}
    first = next(row for row in rows_of(out) if "asr" in row)
    for name in LEARNT:  # from where the first run ended, not from where it began
        assert rows[0][name] < first[name], name
    assert checkpoint.facts(tmp_path, "model")["step"] == STEPS + 10


def test_the_decoder_joins(
    toy: tuple[Path, Gradients], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gradients = Gradients(monkeypatch)
    settings = "batch=2", "frames=16", "critics_alone=1", "compile=false", "precision=off"
    small = [word for text in settings for word in ("--set", text)]
    words = ("--steps", 4, "--resume", toy[0], *small)
    assert train(data, tmp_path, *words, config="joint") == 0
    assert gradients.finite
    for part in ("adapter", "style", "decoder"):
        assert gradients.missed(part) == set(), part
    last = rows_of(tmp_path)[-1]
    assert last["step"] == 4  # of another phase: counted from the beginning
    assert last["critic"] > 0
    assert (tmp_path / "critics" / "critics-0.safetensors").is_file()


@pytest.mark.parametrize("seed", [3, 4])
def test_the_same_seed_gives_the_same_losses(data: Path, tmp_path: Path, seed: int) -> None:
    def losses(name: str, seed: int) -> list[dict[str, Any]]:
        words = ("--steps", 3, "--seed", seed, "--set", "judge_steps=2", "--set", "report_every=1")
        assert train(data, tmp_path / name, *words) == 0
        return [{**row, "seconds": 0} for row in rows_of(tmp_path / name)]

    first = losses("first", seed)
    assert first == losses("again", seed)
    assert first != losses("other", seed + 10)


def test_ctrl_c_saves(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    iteration = Trainer._iteration

    def stopped(one: Trainer, done: float) -> None:
        if one.step == 3:
            raise KeyboardInterrupt
        iteration(one, done)

    monkeypatch.setattr(Trainer, "_iteration", stopped)
    assert train(data, tmp_path, "--steps", 9) == 130
    err = capsys.readouterr().err
    assert f"training is saved: --resume {tmp_path} goes on" in err
    assert err.splitlines()[-1] == "interrupted"
    assert checkpoint.facts(tmp_path, "model")["step"] == 3
    assert rows_of(tmp_path)[-1]["at"] == "interrupted"


def test_a_loss_that_is_not_finite_ends_the_run(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Trainer, "_improve", lambda one: one.sums["norm"].append(
        torch.tensor(math.nan)))  # fmt: skip
    assert train(data, tmp_path, "--steps", 5) == 2
    assert "found losses that are not finite (norm)" in capsys.readouterr().err
    assert not (tmp_path / "model-0.safetensors").exists()
