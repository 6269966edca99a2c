#!/usr/bin/env bash
# Bring what only some tests start and pip does not install with the rest, into .venv/programs:
# Prometheus with promtool (Debian's package, unpacked, not installed) and the fuzzer atheris
# (134 MB, CPython 3.11 to 3.13 on x86-64 Linux). What cannot be had is said; its tests are skipped.
#
#     scripts/test_programs.sh && PATH="$PWD/.venv/programs/usr/bin:$PATH" make test
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
programs="$PWD/.venv/programs"
mkdir -p "$programs"

missing() { echo "test_programs: $1 could not be had: its tests are skipped" >&2; }

prometheus() {
  local folder
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' RETURN
  [ "$(id -u)" != 0 ] || apt-get -qq update
  (cd "$folder" && apt-get -qq download prometheus) && dpkg -x "$folder"/prometheus_*.deb "$programs"
}

PATH="$programs/usr/bin:$PATH"
if ! command -v promtool >/dev/null; then
  { command -v apt-get >/dev/null && prometheus >/dev/null 2>&1 && promtool --version >/dev/null 2>&1; } ||
    missing Prometheus
fi
if ! .venv/bin/python -c 'import atheris' 2>/dev/null; then
  .venv/bin/python -m pip install -qq --no-input --no-deps --only-binary=:all: atheris==3.0.0 2>/dev/null ||
    missing atheris
fi
