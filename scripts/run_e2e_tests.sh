#!/usr/bin/env bash
# Run the complete workflows with their quality gates; see --help.
#
#   scripts/run_e2e_tests.sh [--quick|--full] [--known FILE] [--out DIR]
#
# Exit codes: 0 all is as it should be, 1 a gate failed or a workflow errored, 2 usage,
# 3 nothing ran. Python's code is this script's: it is the last thing that runs, by exec.
set -euo pipefail
root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"

# Bytecode is kept, whatever the environment says: some forty processes would compile PyTorch anew.
unset PYTHONDONTWRITEBYTECODE

# Few threads: networks this small do not gain from more, and many cores would only contend.
cores="$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)"
threads="$((cores < 4 ? cores : 4))"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$threads}"
export MKL_NUM_THREADS="${MKL_NUM_THREADS:-$threads}"
export OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-$threads}"
# Threads that wait spin by default, which beside other processes takes more time than the work.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-PASSIVE}"

python="$root/.venv/bin/python"
if [[ ! -x "$python" ]]; then
    python="$(command -v python3)" || { echo "no Python: run make setup first" >&2; exit 2; }
fi
exec "$python" -m e2e "$@"
