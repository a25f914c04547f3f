#!/usr/bin/env bash
# The tests of the kernels for AArch64, cross-compiled whole and static, run under qemu: the only place where the NEON
# kernels run on an x86-64 machine. run_neon_under_qemu.sh BUILD_FOLDER
# Needs g++-aarch64-linux-gnu, qemu-user and libgtest-dev (for GoogleTest's source). Exits with 0 only if NEON ran.
set -euo pipefail
if [[ $# -ne 1 ]]; then
  echo "usage: $0 BUILD_FOLDER" >&2
  exit 2
fi
gtest=/usr/src/googletest/googletest
for tool in aarch64-linux-gnu-g++ qemu-aarch64; do
  command -v "$tool" >/dev/null || { echo "$0: $tool is not installed" >&2; exit 2; }
done
[[ -f $gtest/src/gtest-all.cc ]] || { echo "$0: no $gtest/src/gtest-all.cc (libgtest-dev)" >&2; exit 2; }
mkdir -p "$1"
build=$(realpath "$1")
cd "$(dirname "$0")/../.."

compiler=(aarch64-linux-gnu-g++)
if command -v ccache >/dev/null; then compiler=(ccache "${compiler[@]}"); fi
flags=(-std=c++20 -O2 -g1 -ffp-contract=off -Wall -Wextra -Wpedantic -Wshadow -Werror -I. -Iinclude)
objects=()
compile() { # SOURCE FLAGS…
  local object
  object=$build/$(basename "$1" .cc).o
  "${compiler[@]}" "${@:2}" -c "$1" -o "$object"
  objects+=("$object")
}
# GoogleTest does not change: compiled once a build folder.
for source in gtest-all gtest_main; do
  if [[ $gtest/src/$source.cc -nt $build/$source.o ]]; then
    compile "$gtest/src/$source.cc" -std=c++20 -O1 -I"$gtest"
  else
    objects+=("$build/$source.o")
  fi
done
for source in vdb/simd/*.cc; do compile "$source" "${flags[@]}"; done
library=("${objects[@]}")
for test in kernels_test code_kernels_test; do
  objects=("${library[@]}")
  compile "tests/simd/$test.cc" "${flags[@]}"
  aarch64-linux-gnu-g++ -static "${objects[@]}" -o "$build/$test"
done

active() { # VALUE OF VDB_SIMD
  VDB_SIMD=$1 qemu-aarch64 "$build/kernels_test" --gtest_filter=Dispatch.PrintsActive 2>"$build/errors" |
    sed -n 's/^active=\(.*\);$/\1/p'
}
expect() { # WHAT GOT WANTED
  if [[ $2 != "$3" ]]; then
    echo "$1: got '$2', wanted '$3'" >&2
    exit 1
  fi
}

# The tests that start the program again cannot do so under qemu; what they test is tested below.
again=Dispatch.EnvironmentForcesEachKernel:Dispatch.UnsetOrEmpty*:Dispatch.UnknownOrUnsupported*
qemu-aarch64 "$build/kernels_test" --gtest_filter=-"$again" | tee "$build/output"
grep -qx 'kernels tested: scalar neon' "$build/output" || { echo "the NEON kernels were not tested" >&2; exit 1; }
for kernels in scalar neon; do
  expect "active with VDB_SIMD=$kernels" "$(active "$kernels")" "$kernels"
  expect "stderr with VDB_SIMD=$kernels" "$(cat "$build/errors")" ""
done
expect "active without VDB_SIMD" "$(active "")" neon
expect "active with VDB_SIMD=avx2" "$(active avx2)" neon
expect "stderr with VDB_SIMD=avx2" "$(cat "$build/errors")" \
  "vdb: VDB_SIMD=avx2 is not a kernel of this CPU; it has scalar neon; using neon"
echo "$(grep -c '^\[       OK' "$build/output") tests passed under qemu, NEON and scalar"

# The code kernels on a CPU with the dot product instruction and on one without it.
active_code() { # CPU, VALUE OF VDB_SIMD
  VDB_SIMD=$2 qemu-aarch64 -cpu "$1" "$build/code_kernels_test" --gtest_filter='CodeDispatch.Active*' |
    sed -n 's/^active=\(.*\);$/\1/p'
}
check_codes() { # CPU, THE TABLES IT RUNS
  local best=${2##* }
  qemu-aarch64 -cpu "$1" "$build/code_kernels_test" | tee "$build/output"
  expect "code kernels on $1" "$(sed -n 's/^code kernels tested: //p' "$build/output")" "$2"
  expect "active code kernels on $1" "$(active_code "$1" "")" "$best"
  expect "active code kernels on $1 with VDB_SIMD=neon" "$(active_code "$1" neon)" "$best"
  expect "active code kernels on $1 with VDB_SIMD=scalar" "$(active_code "$1" scalar)" scalar
  echo "$(grep -c '^\[       OK' "$build/output") tests of the code kernels passed under qemu: $2"
}
check_codes cortex-a57 "scalar neon"
check_codes neoverse-n1 "scalar neon neon-dotprod"
