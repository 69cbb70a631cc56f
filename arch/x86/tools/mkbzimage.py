#!/usr/bin/env python3
"""Makes a bzImage from the linked kernel: puts the table of function names into its .ksyms section, flattens its
segments into the payload, and prefixes the 16-bit setup code with a filled-in header (spec 10 section 2).

usage: mkbzimage.py --vmlinux F --setup-objs A.o --out F [--vmlinux-out F]
--vmlinux-out: also write the ELF file with its names, for loaders that use the PVH entry, and for debuggers."""
# SPDX-License-Identifier: Apache-2.0
import argparse
import pathlib
import shutil
import struct
import subprocess
import sys
import zlib

PHYS_START = 0x1000000
SECTION = struct.Struct("<IIQQQQIIQQ")
SEGMENT = struct.Struct("<IIQQQQQQ")
SYMBOL = struct.Struct("<IBBHQQ")


class Elf:
    def __init__(self, path):
        self.path = path
        self.data = bytearray(pathlib.Path(path).read_bytes())
        if self.data[:6] != b"\x7fELF\x02\x01":
            sys.exit(f"{path}: not a 64-bit little-endian ELF file")
        self.phoff, self.shoff = struct.unpack_from("<QQ", self.data, 32)
        self.phnum, _, self.shnum, self.shstrndx = struct.unpack_from("<HHHH", self.data, 56)
        self.raw = [SECTION.unpack_from(self.data, self.shoff + 64 * i) for i in range(self.shnum)]
        names = self.raw[self.shstrndx]
        self.sections = {self.string(names[4], s[0]): s for s in self.raw}

    def string(self, table_offset, offset):
        start = table_offset + offset
        return self.data[start : self.data.index(0, start)].decode()

    def section_bytes(self, name):
        s = self.sections[name]
        return bytes(self.data[s[4] : s[4] + s[5]])

    def segments(self):
        for i in range(self.phnum):
            yield SEGMENT.unpack_from(self.data, self.phoff + 56 * i)

    def symbols(self):
        table = self.sections[".symtab"]
        strings = self.raw[table[6]][4]
        for off in range(table[4], table[4] + table[5], 24):
            name, info, _, _, value, size = SYMBOL.unpack_from(self.data, off)
            yield self.string(strings, name), info & 15, value, size


def demangle(names):
    """C++ names without their arguments, as a stack dump shows them. Without c++filt they stay as they are."""
    if not shutil.which("c++filt"):
        return names
    out = subprocess.run(["c++filt", "-p"], input="\n".join(names), capture_output=True, text=True, check=True).stdout
    return [n.replace("(anonymous namespace)::", "") for n in out.split("\n")[: len(names)]]


def fill_ksyms(elf):
    text = elf.sections[".text"]
    rows = {}
    for name, kind, value, size in elf.symbols():
        inside = text[3] <= value < text[3] + text[5]
        if inside and kind in (0, 2) and not name.startswith((".", "$")):
            if value not in rows or size > rows[value][1]:
                rows[value] = (name, size)
    values = sorted(rows)
    for i, v in enumerate(values):  # assembly labels have no size: up to the next symbol
        if rows[v][1] == 0:
            end = values[i + 1] if i + 1 < len(values) else text[3] + text[5]
            rows[v] = (rows[v][0], end - v)
    pool, offsets, entries = bytearray(), {}, bytearray()
    for v, name in zip(values, demangle([rows[v][0] for v in values])):
        name = name[:90]
        if name not in offsets:
            offsets[name] = len(pool)
            pool += name.encode() + b"\0"
        entries += struct.pack("<III", v - text[3], rows[v][1], offsets[name])
    blob = struct.pack("<III", 0x4D59534B, len(values), 12 + len(entries)) + entries + pool
    room = elf.sections[".ksyms"]
    if len(blob) > room[5]:
        sys.exit(f"function names take {len(blob)} bytes, .ksyms has {room[5]}: raise kRoom in traps/symbols.cc")
    elf.data[room[4] : room[4] + len(blob)] = blob


def flatten(elf):
    """The bytes from the load address on, as they lie in the segments; and how much memory the image needs."""
    payload, end = bytearray(), 0
    for kind, _, offset, _, paddr, filesz, memsz, _ in elf.segments():
        if kind != 1:
            continue
        at = paddr - PHYS_START
        if at < len(payload):
            sys.exit(f"segments overlap or lie below {PHYS_START:#x}")
        payload += bytes(at - len(payload)) + elf.data[offset : offset + filesz]
        end = max(end, at + memsz)
    return payload, end


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--vmlinux", required=True)
    parser.add_argument("--setup-objs", nargs="+", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--vmlinux-out")
    args = parser.parse_args()

    setup_objects = [Elf(o) for o in args.setup_objs]
    for o in setup_objects:
        if ".rela.text" in o.sections:
            sys.exit(f"{o.path}: setup code must not need relocation")
    setup = bytearray(b"".join(o.section_bytes(".text") for o in setup_objects))
    setup += bytes(-len(setup) % 512)
    if len(setup) > 0x3000:
        sys.exit("setup code larger than 12 KiB")

    elf = Elf(args.vmlinux)
    fill_ksyms(elf)
    payload, needed = flatten(elf)
    payload += bytes(-(len(payload) + 4) % 16)  # with the checksum, a whole number of paragraphs
    struct.pack_into("<B", setup, 0x1F1, len(setup) // 512 - 1)
    struct.pack_into("<I", setup, 0x1F4, (len(payload) + 4) // 16)
    struct.pack_into("<I", setup, 0x260, (needed + 0xFFF) & ~0xFFF)
    image = bytes(setup) + bytes(payload)
    image += struct.pack("<I", ~zlib.crc32(image) & 0xFFFFFFFF)
    pathlib.Path(args.out).write_bytes(image)
    if args.vmlinux_out:
        pathlib.Path(args.vmlinux_out).write_bytes(elf.data)


if __name__ == "__main__":
    main()
