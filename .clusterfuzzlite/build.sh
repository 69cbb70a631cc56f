#!/bin/bash -eu
# Builds the fuzz target without Bazel, with the compiler and flags that the fleet gives ($CXX, $CXXFLAGS, $LIB_FUZZING_ENGINE),
# into $OUT, with its seed corpus. Anywhere else: CXX=clang++ OUT=/tmp/out .clusterfuzzlite/build.sh
# SPDX-License-Identifier: Apache-2.0
if [ -n "${SRC-}" ]; then cd "$SRC/cleanfork"; else cd "$(dirname "$0")/.."; fi
: "${CXX:=clang++}" "${OUT:=$PWD/out}" "${LIB_FUZZING_ENGINE:=-fsanitize=fuzzer}"
: "${CXXFLAGS:=-O1 -g1 -fsanitize=address,fuzzer-no-link}"
work=${WORK:-$(mktemp -d)}/cleanfork
mkdir -p "$OUT" "$work/generated"
python3 tools/gen_syscalls.py kernel/entry/syscalls.tbl "$work/generated"

# As in tools/bazel/kernel.bzl. The fleet's libc++ is for the host side; the kernel uses freestanding headers only.
common="-std=c++23 -fno-pie -fno-omit-frame-pointer -U_FORTIFY_SOURCE -D__SANITIZE_ADDRESS__=1 -iquote . -iquote $work"
kernel="$common -ffreestanding -fno-exceptions -fno-rtti -fno-threadsafe-statics -fno-strict-aliasing
  -fno-delete-null-pointer-checks -w -Iinclude -I$work -iquote arch/hosted/include -Iarch/hosted/include"
host="$common -iquote arch/hosted/include"

kernel_sources() {
  find kernel mm fs ipc lib init arch/hosted test/fuzz \( -name '*.cc' -o -name '*.S' \) \
    ! -path '*/host/*' ! -path '*/tools/*' ! -path '*/testdata/*' ! -name '*_test.cc' ! -name '*_kunit.cc' ! -name '*_bench.cc'
  echo test/support/world_check.cc
}
compile() {  # flags source
  local o="$work/${2//\//_}.o"
  # shellcheck disable=SC2086
  $CXX $CXXFLAGS $1 -c "$2" -o "$o"
}
export -f compile
export CXX CXXFLAGS work
kernel_sources | xargs -P "$(nproc)" -I{} bash -ceu 'compile "$1" "$2"' _ "$kernel" {}
printf '%s\n' arch/hosted/host/*.cc test/fuzz/host/driver.cc test/fuzz/host/fuzz_main.cc |
  xargs -P "$(nproc)" -I{} bash -ceu 'compile "$1" "$2"' _ "$host" {}
# shellcheck disable=SC2086
$CXX $CXXFLAGS -no-pie "$work"/*.o $LIB_FUZZING_ENGINE -lunwind -lpthread -ldl -o "$OUT/copy_process_fuzz"

(cd test/fuzz && python3 -m zipfile -c "$OUT/copy_process_fuzz_seed_corpus.zip" corpus/* regressions/*)
printf '[libfuzzer]\nmax_len = 8192\n' > "$OUT/copy_process_fuzz.options"
