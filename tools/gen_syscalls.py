#!/usr/bin/env python3
"""Reads a syscalls .tbl (spec 10 E-18) and writes, into the directory given:
  syscall_table.inc   one SYSCALL(number, name) per number from 0 to the highest, SYSCALL_HOLE(number) for the gaps
  unistd_64.h         the __NR_ macros
A duplicate number is an error. usage: gen_syscalls.py TABLE OUTDIR"""
# SPDX-License-Identifier: Apache-2.0
import pathlib
import sys


def main(table: str, outdir: str) -> int:
    rows: dict[int, str] = {}
    for line_no, line in enumerate(pathlib.Path(table).read_text().splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        number, name = int(words[0]), words[2]
        if number in rows:
            print(f"{table}:{line_no}: number {number} is {rows[number]} already", file=sys.stderr)
            return 1
        rows[number] = name
    out = pathlib.Path(outdir)
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "syscall_table.inc", "w") as f:
        for n in range(max(rows) + 1):
            f.write(f"SYSCALL({n}, {rows[n]})\n" if n in rows else f"SYSCALL_HOLE({n})\n")
    with open(out / "unistd_64.h", "w") as f:
        f.write("#ifndef _UAPI_ASM_UNISTD_64_H\n#define _UAPI_ASM_UNISTD_64_H\n")
        for n, name in sorted(rows.items()):
            f.write(f"#define __NR_{name} {n}\n")
        f.write(f"#define NR_syscalls {max(rows) + 1}\n#endif\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
