"""Voices over HTTP: made with consent, passed on, kept apart by owner."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_desk import ApiDesk, refused, serving, tone

from autovoice.server.voicebank import VoiceBank
from autovoice.voices import Voice, VoiceHeader, VoiceStore, from_bytes, to_bytes
from autovoice.voices.file import write_whole

sys.path.append(str(Path(__file__).parents[1] / "engine"))
import standins

URL = "/api/v1/voices"
WORDS = {"name": "maria", "consent": "I agree. Maria, 2026-11-23"}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiDesk]:
    monkeypatch.setenv("AUTOVOICE_DATA_DIR", str(tmp_path / "user"))
    with serving(tmp_path / "data", auth="required") as made:
        key = made.service.keys.create("anna")
        made.client.headers["Authorization"] = f"Bearer {key}"
        yield made


def profile(name: str = "maria", consent: str = "I agree. Maria") -> bytes:
    plain = standins.voice()
    header = VoiceHeader(name=name, consent=consent, f0_median_hz=200.0)
    return to_bytes(Voice(header, plain.style, plain.embedding))


def take(desk: ApiDesk, content: bytes, **fields: str) -> Any:
    files = {"voice_file": ("x.voice", content)}
    return desk.client.post(f"{URL}/import", files=files, data=fields)


def create(desk: ApiDesk, content: bytes | None = None, **changes: str) -> Any:
    files = [("file", (f"{n}.wav", tone() if content is None else content)) for n in range(2)]
    return desk.client.post(URL, files=files, data={**WORDS, **changes})


def test_recordings_become_a_job(desk: ApiDesk) -> None:
    answer = create(desk)
    assert answer.status_code == 202
    job = answer.json()
    assert job["kind"] == "voice.create"
    assert job["request"]["files"] == ["0.wav", "1.wav"]
    assert job["request"]["consent"] == WORDS["consent"]


def test_one_bad_recording_leaves_nothing_of_the_others(tmp_path: Path) -> None:
    with serving(tmp_path, engine="real") as desk:
        contents = [tone(), tone(2.0, rate=1), tone(), tone()]
        files = [("file", (f"{n}.wav", content)) for n, content in enumerate(contents)]
        refused(desk.client.post(URL, files=files, data=WORDS), 422, "input_error")
        assert list((tmp_path / "files").glob("*/*")) == []
        assert desk.service.files.is_empty()


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"consent": ""}, 422, "invalid_request"),
        ({"consent": "yes"}, 422, "invalid_request"),
        ({"name": "../x"}, 422, "voice_name"),
        ({"name": "kumo"}, 409, "voice_name"),
        ({"name": "con"}, 422, "voice_name"),
    ],
)
def test_without_consent_or_a_name_nothing_is_kept(
    desk: ApiDesk, changes: dict[str, str], status: int, code: str
) -> None:
    refused(create(desk, **changes), status, code)
    assert list((desk.settings.data_dir / "files").glob("*/*")) == []


def test_a_voice_comes_and_goes(desk: ApiDesk) -> None:
    assert take(desk, profile()).status_code == 201
    refused(take(desk, profile()), 409, "voice_name")
    assert take(desk, profile(), name="maria.2").json()["name"] == "maria.2"
    listed = desk.client.get(URL).json()
    assert [one["name"] for one in listed["stored"]] == ["maria", "maria.2"]
    assert {"name", "description"} == set(listed["builtin"][0])
    record = desk.client.get(f"{URL}/maria").json()
    assert (record["own"], record["consent"]) == (True, "I agree. Maria")
    assert record["comfortable_range"]["median_hz"] == 200.0
    exported = desk.client.get(f"{URL}/maria/export")
    assert exported.content == profile()
    assert 'filename="maria.voice"' in exported.headers["Content-Disposition"]
    assert desk.client.get(f"{URL}/maria/preview").status_code == 202
    desk.service.voices.preview("maria", desk.service.keys.list()[0].id).write_bytes(tone())
    assert desk.client.get(f"{URL}/maria/preview").content == tone()
    refused(create(desk), 409, "voice_name")
    assert desk.client.delete(f"{URL}/maria").status_code == 204
    refused(desk.client.get(f"{URL}/maria"), 404, "voice_not_found")
    refused(desk.client.delete(f"{URL}/kumo"), 403, "not_your_voice")
    kept = [file.name for file in (desk.settings.data_dir / "voices").rglob("*.*")]
    assert kept == ["maria.2.voice"]


def test_a_voice_belongs_to_its_owner(desk: ApiDesk) -> None:
    take(desk, profile())
    other = {"Authorization": f"Bearer {desk.service.keys.create('bert')}"}
    assert desk.client.get(URL, headers=other).json()["stored"] == []
    for method, path in [("GET", ""), ("DELETE", ""), ("GET", "/export"), ("GET", "/preview")]:
        answer = desk.client.request(method, f"{URL}/maria{path}", headers=other)
        refused(answer, 404, "voice_not_found")
    assert desk.service.voices.has("maria", desk.service.keys.list()[0].id)
    assert not desk.service.voices.has("maria", desk.service.keys.list()[1].id)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "voice_error"),
        (b"\x80\x04pickle" * 10, "voice_error"),
        ((1 << 60).to_bytes(8, "little") + b"{" * 100, "voice_error"),
        (profile(consent=""), "input_error"),
    ],
)
def test_what_is_no_sound_voice_is_refused(desk: ApiDesk, content: bytes, code: str) -> None:
    refused(take(desk, content), 422, code)
    refused(take(desk, profile(), name="../../evil"), 422, "voice_error")
    assert list((desk.settings.data_dir / "files").glob("*/*")) == []
    assert list((desk.settings.data_dir / "voices").rglob("*.voice")) == []


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "%2e%2e", "a%00b", "a%0d%0ab"])
def test_names_in_addresses_lead_nowhere(desk: ApiDesk, name: str) -> None:
    answer = desk.client.get(f"{URL}/{name}/export")
    assert answer.status_code == 404
    assert "\r" not in str(answer.headers)


def test_a_damaged_voice_is_listed_as_such(desk: ApiDesk) -> None:
    take(desk, profile())
    store = desk.service.voices.own(desk.service.keys.list()[0].id)
    store.path("maria").write_bytes(b"damaged")
    listed = desk.client.get(URL).json()
    assert (listed["stored"], listed["damaged"]) == ([], ["maria"])


def test_an_open_service_shares_the_voices_of_its_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOVOICE_DATA_DIR", str(tmp_path / "user"))
    file = tmp_path / "user" / "voices" / "maria.voice"
    file.parent.mkdir(parents=True)
    file.write_bytes(profile())
    with serving(tmp_path / "data") as desk:
        assert desk.client.get(f"{URL}/maria").json()["own"] is False
        refused(desk.client.delete(f"{URL}/maria"), 403, "not_your_voice")
    assert file.is_file()


@pytest.mark.parametrize("name", ["kumo", "maria"])
def test_a_preview_is_made_once_and_kept(desk: ApiDesk, name: str) -> None:
    assert take(desk, profile()).status_code == 201
    url = f"{URL}/{name}/preview"
    first, second = desk.client.get(url), desk.client.get(url)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] == second.json()["id"]
    assert first.headers["Location"] == first.json()["links"]["self"]
    assert first.json()["request"]["voice"] == name
    desk.work()
    sound = desk.client.get(url)
    assert (sound.status_code, sound.headers["Content-Type"]) == (200, "audio/wav")
    assert sound.content[:4] == b"RIFF"
    assert desk.client.delete(first.json()["links"]["self"]).status_code == 200
    assert desk.client.get(url).content == sound.content
    assert desk.service.table.active() == 0
    other = {"Authorization": f"Bearer {desk.service.keys.create('bert')}"}
    if name == "kumo":  # nobody's voice, made once for all
        assert desk.client.get(url, headers=other).content == sound.content
    else:
        refused(desk.client.get(url, headers=other), 404, "voice_not_found")
        assert desk.client.delete(f"{URL}/{name}").status_code == 204
        assert take(desk, profile()).status_code == 201
        assert desk.client.get(url).status_code == 202  # another voice of the same name


def test_a_preview_is_of_the_voice_as_it_is_now(desk: ApiDesk) -> None:
    """What was made with the voice holds, whichever file came first; a replaced voice is new."""
    assert take(desk, profile()).status_code == 201
    owner = desk.service.keys.list()[0].id
    bank = desk.service.voices
    bank.preview("maria", owner).write_bytes(tone())
    os.utime(bank.preview("maria", owner), (1.0, 1.0))
    assert bank.has_preview("maria", owner)
    shared = VoiceStore(desk.settings.data_dir / "shared")
    shared.save(from_bytes(profile("carla")))
    bank = VoiceBank(bank.folder, shared)
    write_whole(bank.heard("carla", owner), tone())
    assert bank.has_preview("carla", owner)
    os.utime(shared.path("carla"), (2e9, 2e9))
    assert not bank.has_preview("carla", owner)


def test_a_preview_that_failed_is_made_anew(desk: ApiDesk) -> None:
    url = f"{URL}/kumo/preview"
    job = desk.client.get(url).json()
    desk.client.delete(job["links"]["self"])
    refused(desk.client.get(url), 409, "job_failed")
    again = desk.client.get(url)
    assert again.status_code == 202
    assert again.json()["id"] != job["id"]


def test_a_full_queue_makes_no_preview(tmp_path: Path) -> None:
    with serving(tmp_path, max_queued=1) as desk:
        desk.song()
        refused(desk.client.get(f"{URL}/kumo/preview"), 503, "queue_full")
