#!/usr/bin/env bash
# The kernels test for AArch64, cross-compiled whole and static, run under qemu: the only place where the NEON kernels
# run on an x86-64 machine. run_neon_under_qemu.sh BUILD_FOLDER
# Needs g++-aarch64-linux-gnu, qemu-user and libgtest-dev (for GoogleTest's source).
set -euo pipefail
build=$1
cd "$(dirname "$0")/../.."
mkdir -p "$build"

compiler=(aarch64-linux-gnu-g++)
if command -v ccache >/dev/null; then compiler=(ccache "${compiler[@]}"); fi
gtest=/usr/src/googletest/googletest
flags=(-std=c++20 -O2 -g1 -ffp-contract=off -Wall -Wextra -Werror)
objects=()
compile() { # SOURCE FLAGS…
  local object
  object=$build/$(basename "$1" .cc).o
  "${compiler[@]}" "${@:2}" -c "$1" -o "$object"
  objects+=("$object")
}
compile "$gtest/src/gtest-all.cc" -std=c++20 -O1 -I"$gtest"
compile "$gtest/src/gtest_main.cc" -std=c++20 -O1
for source in vdb/simd/*.cc tests/simd/kernels_test.cc; do compile "$source" "${flags[@]}" -I. -Iinclude; done
aarch64-linux-gnu-g++ -static "${objects[@]}" -o "$build/kernels_test"

# One test starts itself again, which qemu cannot; what it tests is tested here.
qemu-aarch64 "$build/kernels_test" --gtest_filter=-Dispatch.EnvironmentForcesEachKernel | tee "$build/output"
grep -q '^kernels tested:.* neon' "$build/output" || { echo "the NEON kernels were not tested"; exit 1; }
for kernels in scalar neon; do
  active=$(VDB_SIMD=$kernels qemu-aarch64 "$build/kernels_test" --gtest_filter=Dispatch.PrintsActive | grep '^active=')
  if [[ $active != "active=$kernels;" ]]; then
    echo "VDB_SIMD=$kernels: $active"
    exit 1
  fi
done
echo "$(grep -c '^\[       OK' "$build/output") tests passed under qemu, NEON and scalar"
