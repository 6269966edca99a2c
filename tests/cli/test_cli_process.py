from __future__ import annotations

import os
import subprocess
import sys


def _python(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, env=dict(os.environ)
    )


def test_help_and_import_do_not_load_torch_or_pydantic() -> None:
    code = (
        "import sys, autovoice; from autovoice.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('torch', 'pydantic', 'numpy', 'rich') if m in sys.modules])"
    )
    done = _python("-c", code)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "[]"
    assert "convert" in done.stdout


def test_the_help_of_convert_does_not_load_torch() -> None:
    code = (
        "import sys; from autovoice.cli.main import main\n"
        "try: main(['convert', '--help'])\n"
        "except SystemExit: pass\n"
        "print('torch' in sys.modules)"
    )
    assert _python("-c", code).stdout.splitlines()[-1] == "False"


def test_python_m_autovoice_is_the_command_line() -> None:
    import autovoice

    done = _python("-m", "autovoice", "--version")
    assert (done.returncode, done.stdout) == (0, f"autovoice, version {autovoice.__version__}\n")
    assert _python("-m", "autovoice", "sing").returncode == 2
