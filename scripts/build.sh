#!/usr/bin/env bash
# Compile the CUDA kernels, after a look at everything that they need.
#
#   scripts/build.sh [--check | --wheel DIR]
#
# Without options: into this checkout (src/autovoice/_cuda.so). --check: only look. --wheel DIR: a
# wheel with the kernels in DIR. Environment: PYTHON, CUDA_HOME, CXX (and CC, which nvcc is given),
# TORCH_CUDA_ARCH_LIST (for one GPU only, such as 9.0), MAX_JOBS.
#
# Exit codes: 0 done, 1 the compilation failed, 2 something is missing or usage.
set -euo pipefail
root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
missing=0

say() { printf '%-9s %s\n' "$1" "$2"; }
lacks() {
    printf '%-9s MISSING: %s\n          -> %s\n' "$1" "$2" "$3" >&2
    missing=1
}
usage() {
    sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}
at_least() { [[ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" == "$2" ]]; }

mode=inplace target=""
case "${1-}" in
    "") ;;
    --check) mode=check ;;
    --wheel) [[ -n "${2-}" ]] || usage; mode=wheel target="$(realpath -m -- "$2")" ;;
    *) usage ;;
esac

# nvcc and its headers.
home="${CUDA_HOME:-}" cuda=""
if [[ -z "$home" ]]; then
    nvcc="$(command -v nvcc || true)"
    for home in "$(dirname -- "$(dirname -- "$(readlink -f -- "${nvcc:-/none/none/nvcc}")")")" /usr/local/cuda; do
        [[ -x "$home/bin/nvcc" && -e "$home/include/cuda.h" ]] && break
    done
fi
if [[ ! -x "$home/bin/nvcc" ]]; then
    where="on PATH or in /usr/local/cuda"
    lacks nvcc "none ${CUDA_HOME:+in CUDA_HOME=}${CUDA_HOME:-$where}" \
        "install the CUDA toolkit 12.0 or newer, or set CUDA_HOME; without it AutoVoice works, slower"
else
    cuda="$("$home/bin/nvcc" --version | sed -n 's/.*release \([0-9.]*\).*/\1/p' || true)"
    if at_least "${cuda:-0}" 12.0; then
        say nvcc "$cuda in $home"
    else
        lacks nvcc "found ${cuda:-no version} in $home, expected 12.0 or newer" "install a newer CUDA toolkit"
    fi
    for header in cuda.h cuda_runtime.h cuda_fp16.h; do
        [[ -e "$home/include/$header" ]] ||
            lacks headers "$home/include/$header is not there" "install the toolkit's headers (cudart-dev, cccl)"
    done
    [[ -e "$home/lib64/libcudart.so" || -e "$home/lib/libcudart.so" ]] || compgen -G "$home/lib*/*/libcudart.so" >/dev/null ||
        lacks cudart "no libcudart.so below $home" "install the toolkit's runtime library (cudart-dev)"
fi

# The C++ compiler, tried by compiling a kernel: nvcc itself knows which ones are too new for it.
compiler="${CXX:-c++}"
if ! command -v "$compiler" >/dev/null; then
    lacks compiler "$compiler is not there" "install g++, or set CXX and CC"
elif [[ -n "$cuda" ]]; then
    trial="$(mktemp -d)"
    trap 'rm -rf -- "$trial"' EXIT
    printf '#include <cuda_fp16.h>\n#include <optional>\n__global__ void k(half* x) { *x = __float2half(1.f); }\n' >"$trial/k.cu"
    if "$home/bin/nvcc" ${CC:+-ccbin "$CC"} -std=c++20 -c "$trial/k.cu" -o "$trial/k.o" 2>"$trial/log"; then
        say compiler "$("$compiler" --version | head -n 1)"
    else
        grep -m 3 -iE 'error|unsupported' "$trial/log" >&2 || head -n 3 "$trial/log" >&2
        lacks compiler "nvcc $cuda cannot compile with ${CC:-$("$compiler" --version | head -n 1)}" \
            "see the lines above; for an older compiler: CC=gcc-13 CXX=g++-13 scripts/build.sh"
    fi
fi

# Python, with what a build without isolation needs.
python="${PYTHON:-$root/.venv/bin/python}"
[[ -x "$python" ]] || python="$(command -v "${PYTHON:-python3}" || true)"
if [[ -z "$python" ]]; then
    lacks python "${PYTHON:-python3} is not there" "run make setup, or set PYTHON"
elif ! found="$("$python" "$root/scripts/check_build_python.py" "$cuda" 2>&1)"; then
    lacks python "${found##*$'\n'}" "run make setup, or set PYTHON to one that has torch 2.10 or newer"
else
    say python "${found##*$'\n'}"
fi
command -v ninja >/dev/null && say ninja "$(ninja --version)" || say ninja "none: one file after the other is compiled"

if ((missing)); then
    echo "Not built." >&2
    exit 2
fi
[[ "$mode" == check ]] && exit 0

export AUTOVOICE_CUDA=1 CUDA_HOME="$home" MAX_JOBS="${MAX_JOBS:-$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)}"
cd -- "$root"
echo "Compiling for ${TORCH_CUDA_ARCH_LIST:-every architecture that nvcc knows} (minutes the first time)"
if [[ "$mode" == wheel ]]; then
    "$python" -m pip wheel -q --no-deps --no-build-isolation -w "$target" . || exit 1
    file="$(ls -t -- "$target"/autovoice-*.whl | head -n 1)"
else
    log="build/kernels.log"
    mkdir -p build
    "$python" setup.py -q build_ext --inplace >"$log" 2>&1 || { tail -n 40 "$log" >&2; echo "The whole log: $log" >&2; exit 1; }
    file="src/autovoice/_cuda.so"
    PYTHONPATH="$root/src" "$python" scripts/fatbin.py "$file"
fi
echo "Built $file"
