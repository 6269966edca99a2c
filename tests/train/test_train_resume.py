"""A run that is resumed goes on exactly: weights, averages, optimisers, judge and critics."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import made_corpus
import numpy as np
import pytest
import small_networks
import torch

from autovoice.train import checkpoint, loop
from autovoice.train.options import Options
from autovoice.train.trainer import Trainer


@pytest.fixture(scope="module", autouse=True)
def _small() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "build", small_networks.build)
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Options:
    folder = tmp_path_factory.mktemp("data")
    made_corpus.write_corpus(folder, seconds=2.0)
    made_corpus.write_bank(folder / "phonemes.npz")
    return Options(
        folder, tmp_path_factory.mktemp("first"), phase="joint", seconds=float("inf"), steps=6,
        judge_steps=2, batch=2, frames=16, device="cpu", precision="off", learning_rate=1e-3,
        stock=1, critic_frames=8, critics_alone=1, report_every=1, resume=None,
    )  # fmt: skip


@pytest.fixture(scope="module")
def first(options: Options) -> Trainer:
    return loop.run(options)


def resumed(first: Trainer, out: Path, **changes: Any) -> Trainer:
    """Go on from where the first run ended, without a step."""
    changed = replace(first.options, resume=first.options.out, out=out, steps=first.step, **changes)
    return loop.run(changed)


def losses(one: Trainer) -> dict[str, float]:
    """Take a step of each kind on the same crops, with the same chance, and change nothing."""
    found: dict[str, float] = {}
    crops = one.corpus.draw(2, 600 * 16, np.random.default_rng(5))
    batch = one.teacher.teacher.sample(2, torch.Generator().manual_seed(5))  # type: ignore[union-attr]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(one.adversary, "_teach", lambda *_: torch.zeros(()))
        for kind, inputs in (("real", [crops]), ("cross-", [crops]), ("sung-", [batch, crops])):
            one.chance.manual_seed(6)
            torch.manual_seed(6)
            for name, value in one.kinds[kind](*inputs).items():
                found[f"{kind} {name}"] = float(value)
    one.optimiser.zero_grad(set_to_none=False)
    return found


def test_every_save_writes_judge_and_critics(first: Trainer) -> None:
    out = first.options.out
    assert checkpoint.facts(out, "judge")["step"] == 6
    assert checkpoint.facts(out / "critics", "critics")["step"] == 6
    assert (out / "state" / "state.safetensors").is_file()


def test_losses_go_on_without_a_jump(first: Trainer, tmp_path: Path) -> None:
    again = resumed(first, tmp_path)
    assert again.adversary is not None
    assert not again.adversary.fresh
    assert again.taught == first.taught == 5
    assert "judge" not in {row["at"] for row in rows_of(tmp_path)}
    for name, value in first.live.items():
        assert torch.equal(value, again.live[name]), name
        assert torch.equal(first.average[name], again.average[name]), name
    ours, theirs = losses(first), losses(again)
    assert set(ours) == set(theirs)
    for name, value in ours.items():
        # The judge is kept in half precision.
        assert theirs[name] == pytest.approx(value, rel=2e-3, abs=1e-4), name


def test_the_optimisers_remember(first: Trainer, tmp_path: Path) -> None:
    again = resumed(first, tmp_path)
    assert again.adversary is not None
    assert first.adversary is not None
    for one, other in (
        (first.optimiser, again.optimiser), (first.adversary.optimiser, again.adversary.optimiser),
    ):  # fmt: skip
        ours, theirs = one.state_dict()["state"], other.state_dict()["state"]
        assert ours.keys() == theirs.keys()
        assert len(ours) > 0
        for index, kept in ours.items():
            for name, value in kept.items():
                assert torch.equal(value, theirs[index][name]), (index, name)
    again._set_rate(0.0)
    # As warm as it was: the sixth step, not the first.
    assert again.optimiser.param_groups[0]["lr"] == pytest.approx(1e-3 * 6 / 40)


def test_the_next_step_is_the_one_that_would_have_come(first: Trainer, tmp_path: Path) -> None:
    whole = first.options
    again = resumed(first, tmp_path / "again")
    copy = {name: value.clone() for name, value in first.live.items()}
    moments = first.optimiser.state_dict()
    moments = {**moments, "state": {i: {k: v.clone() for k, v in kept.items()}
                                    for i, kept in moments["state"].items()}}  # fmt: skip
    for one in (first, again):
        losses(one)
        torch.manual_seed(7)
        one.chance.manual_seed(7)
        one._set_rate(0.5)
        one._cross(one.corpus.draw(2, 600 * 16, np.random.default_rng(8)), teach=False)
        one._improve()
        one.optimiser.zero_grad(set_to_none=False)
    for name, value in first.live.items():
        torch.testing.assert_close(again.live[name], value, rtol=1e-3, atol=2e-5)
    assert any(not torch.equal(value, copy[name]) for name, value in first.live.items())
    with torch.no_grad():
        for name, value in first.live.items():
            value.copy_(copy[name])
    first.optimiser.load_state_dict(moments)
    first.taught -= 1
    assert whole.steps == 6


def test_a_checkpoint_that_was_changed_is_taken_instead_of_the_state(
    first: Trainer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mixed = tmp_path / "mixed"
    tensors = {name: 0.5 * value for name, value in first.average.items()}
    facts = checkpoint.facts(first.options.out, "model")
    for source in first.options.out.rglob("*.safetensors"):
        target = mixed / source.relative_to(first.options.out)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    checkpoint.save(mixed, "model", checkpoint.pack(tensors, False), facts)
    with caplog.at_level(logging.INFO):
        again = loop.run(replace(first.options, resume=mixed, out=tmp_path / "out", steps=6))
    assert "going on exactly" not in caplog.text
    assert again.taught == 0
    name = "adapter.outward.weight"
    torch.testing.assert_close(again.live[name], tensors[name], rtol=1e-3, atol=1e-3)
    assert again.adversary is not None
    assert not again.adversary.fresh


def test_a_state_is_not_kept_where_it_is_not_wanted(options: Options, tmp_path: Path) -> None:
    loop.run(replace(options, out=tmp_path, steps=1, keep_state=False))
    assert (tmp_path / "model-0.safetensors").is_file()
    assert not (tmp_path / "state").exists()


def test_several_calls_share_one_fall_of_the_rate(options: Options, tmp_path: Path) -> None:
    timed = replace(options, steps=None, seconds=0.0, total_seconds=1e6, keep_state=False)
    one = loop.run(replace(timed, out=tmp_path / "one"))
    facts = checkpoint.facts(tmp_path / "one", "model")
    assert facts["total_seconds"] == 1e6
    one.step = 4
    one.save()
    again = loop.run(replace(timed, out=tmp_path / "two", resume=tmp_path / "one"))
    saved = float(str(checkpoint.facts(tmp_path / "one", "model")["spent_s"]))
    assert again.spent_s == saved > 0
    other = replace(timed, out=tmp_path / "three", resume=tmp_path / "one", total_seconds=2e6)
    assert loop.run(other).spent_s == 0.0


def test_optional_losses_are_computed_where_they_count(options: Options, tmp_path: Path) -> None:
    weights = {**options.weights, "power": 0.3, "valleys_long": 0.2, "consonants": 0.3}
    loop.run(replace(options, out=tmp_path, steps=3, weights=weights, profile=1, keep_state=False))
    names = set().union(*(row.keys() for row in rows_of(tmp_path)))
    assert {"power", "valleys_long", "consonants"} <= names
    assert not {"power_long", "valleys"} & names


def test_a_run_tells_where_its_time_goes(options: Options, tmp_path: Path) -> None:
    loop.run(replace(options, out=tmp_path, steps=7, profile=1, sung_every=1, keep_state=False))
    told = json.loads((tmp_path / "profile.json").read_text(encoding="utf-8"))
    assert told["steps"] == 1
    expected = {"draw", "paint", "teacher", "words and style", "generator", "judges", "critics",
                "backward", "meet", "norm", "optimiser", "average", "zero gradients",
                "report and agree"}  # fmt: skip
    assert expected <= told["parts"].keys()
    outer = sum(row["host_ms"] for name, row in told["parts"].items() if name.startswith("step "))
    assert outer < told["wall_ms"]


def rows_of(out: Path) -> list[dict[str, Any]]:
    lines = (out / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
