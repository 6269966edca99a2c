"""The public surface is closed: a name more or less is a decision, not an accident."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import autovoice

PUBLIC = {
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
}


def test_the_surface_is_closed() -> None:
    assert set(autovoice.__all__) == PUBLIC
    assert len(autovoice.__all__) == len(PUBLIC)
    assert set(dir(autovoice)) == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_name_is_there_and_told(name: str) -> None:
    value = getattr(autovoice, name)
    if name != "__version__":
        assert value.__doc__
        assert value.__module__.startswith("autovoice")


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="autovoice"):
        _ = autovoice.engines


def test_the_types_of_every_name_are_stated() -> None:
    stub = Path(autovoice.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    stated: set[str] = set()
    for node in ast.parse(stub).body:
        if isinstance(node, ast.ImportFrom):
            stated.update(alias.asname for alias in node.names if alias.asname)
        elif isinstance(node, ast.FunctionDef):
            stated.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            stated.add(node.target.id)
    assert stated == PUBLIC


def test_importing_the_room_does_not_hide_the_function() -> None:
    importlib.import_module("autovoice.convert.fit")
    importlib.import_module("autovoice.speak.utterance")
    for function in (autovoice.convert, autovoice.speak):
        assert callable(function)
        assert function.__module__ == "autovoice"
