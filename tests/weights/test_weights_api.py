"""The module's own functions, and the corners of the store."""

from __future__ import annotations

import logging
import threading

import filelock
import pytest
import torch
from fake_weights import sha

from autovoice import weights
from autovoice.errors import WeightsError
from autovoice.weights import store as store_module
from autovoice.weights.fetch import Cancelled


def test_module_functions_use_the_folder_of_the_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOVOICE_CACHE_DIR", str(tmp_path))
    command = "autovoice models pull swift-f0"
    for call in (weights.tensors, weights.metadata):
        with pytest.raises(WeightsError, match=command):
            call("swift-f0", offline=True)
    with pytest.raises(WeightsError, match=command):
        weights.file("swift-f0", "model.onnx", offline=True)
    with pytest.raises(WeightsError, match=command):
        weights.pull(["swift-f0"], offline=True)
    assert weights.status("swift-f0").state == "absent"
    assert weights.status("swift-f0").folder == tmp_path / "weights" / "swift-f0"
    assert [status.state for status in weights.verify(["swift-f0"])] == ["absent"]


def test_a_file_that_only_the_reader_refuses_is_fetched_again(world, caplog):
    world.store().tensors("net")
    (path,) = world.cache.rglob("model.safetensors")
    path.write_bytes(path.read_bytes().replace(b'"U8"', b'"ZZ"'))
    assert world.store().status("net").state == "ready"  # sizes and header are plausible
    with caplog.at_level(logging.WARNING):
        tensors = world.store().tensors("net")
    assert tensors["bytes"].dtype == torch.uint8
    assert "fetching it again" in caplog.text
    assert len(world.download.fetched) == 2


def test_a_member_that_is_not_the_pinned_one_is_refused(world):
    world.registry["models"][0]["members"][0]["sha256"] = sha(b"something else")
    with pytest.raises(WeightsError, match=r"fake_a/net\.bin in fake_a-1\.0.*: sha256 is"):
        world.store().tensors("net")
    assert not list(world.cache.rglob("*.whl"))
    assert not list(world.cache.rglob("net.bin"))


def test_a_cancelled_download_does_not_hide_the_cause(world):
    started = threading.Event()

    def before(wheel):
        if wheel.file_name == world.wheel_names["b"]:
            assert started.wait(10)
            raise WeightsError("the cause")
        started.set()
        raise Cancelled("stopped")

    world.download.before = before
    with pytest.raises(WeightsError, match="the cause"):
        world.store().pull(["net", "cut"], jobs=2)


def test_waiting_for_another_process_is_told(world, monkeypatch):
    monkeypatch.setattr(store_module, "LOCK_PATIENCE_SECONDS", 0.05)
    folder = world.cache / "weights"
    folder.mkdir(parents=True)
    other = filelock.FileLock(folder / ".lock", thread_local=False)
    other.acquire()
    steps = []

    def progress(event):
        steps.append(event.step)
        if event.step == "wait":
            other.release()

    world.store().pull(["song"], progress=progress)
    assert steps[0] == "wait"
    assert steps[-1] == "done"
