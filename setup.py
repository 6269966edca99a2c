"""Carry ``models/`` in wheels as ``autovoice/_models/``; all else is in pyproject.toml.

An editable install has no copy: it reads the repository's own folder.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

MODELS = Path(__file__).resolve().parent / "models"


class BuildWithModels(build_py):
    """Copy the models beside the modules."""

    def run(self) -> None:
        """Build, then put the models where ``autovoice.weights`` looks for them."""
        super().run()
        if not self.editable_mode and MODELS.is_dir():
            target = Path(self.build_lib) / "autovoice" / "_models"
            shutil.rmtree(target, ignore_errors=True)  # what an earlier build left
            shutil.copytree(MODELS, target, ignore=shutil.ignore_patterns(".*"))


setup(cmdclass={"build_py": BuildWithModels})
