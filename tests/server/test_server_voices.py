"""Voices over HTTP: made with consent, passed on, kept apart by owner."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_desk import ApiDesk, refused, serving, tone

from autovoice.voices import Voice, VoiceHeader, to_bytes

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
    refused(desk.client.get(f"{URL}/maria/preview"), 404, "no_preview")
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
