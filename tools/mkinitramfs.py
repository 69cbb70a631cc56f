#!/usr/bin/env python3
"""Packs an initramfs (newc cpio) without being root: files, directories, symlinks and device nodes.

usage: mkinitramfs.py -o OUT [--gzip] [--busybox PATH] ENTRY...
  ENTRY  file:PATH=HOSTFILE[:MODE]   dir:PATH[:MODE]   link:PATH=TARGET   node:PATH=c:MAJOR:MINOR[:MODE]
  --busybox PATH installs it as /bin/busybox with a symlink for each applet it lists.
The archive depends only on the contents: times and owners are 0."""
# SPDX-License-Identifier: Apache-2.0
import argparse
import gzip
import pathlib
import stat
import subprocess
import sys


class Newc:
    """Writes entries in the order given; parents must come first."""

    def __init__(self) -> None:
        self.out = bytearray()
        self.ino = 0
        self.seen: set[str] = set()

    def add(self, path: str, mode: int, data: bytes = b"", rdev: tuple[int, int] = (0, 0)) -> None:
        path = path.lstrip("/")
        self.seen.add(path)
        self.ino += 1
        name = path.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = [self.ino, mode, 0, 0, links, 0, len(data), 0, 0, rdev[0], rdev[1], len(name), 0]
        self.out += b"070701" + b"".join(b"%08X" % f for f in fields) + name
        self.pad()
        self.out += data
        self.pad()

    def pad(self) -> None:
        self.out += b"\0" * (-len(self.out) % 4)

    def directory(self, path: str, mode: int = 0o755) -> None:
        parts = path.strip("/").split("/")
        for i in range(1, len(parts) + 1):
            prefix = "/".join(parts[:i])
            if prefix and prefix not in self.seen:
                self.add(prefix, stat.S_IFDIR | (mode if i == len(parts) else 0o755))

    def parent(self, path: str) -> None:
        if "/" in path.strip("/"):
            self.directory(path.strip("/").rsplit("/", 1)[0])

    def finish(self) -> bytes:
        self.ino = -1
        self.add("TRAILER!!!", 0)
        self.out += b"\0" * (-len(self.out) % 512)
        return bytes(self.out)


def install_busybox(archive: Newc, host_path: str) -> None:
    applets = subprocess.run([host_path, "--list-full"], capture_output=True, text=True, check=True).stdout.split()
    archive.parent("bin/busybox")
    archive.add("bin/busybox", stat.S_IFREG | 0o755, pathlib.Path(host_path).read_bytes())
    for applet in applets:
        if applet in archive.seen:
            continue
        archive.parent(applet)
        archive.add(applet, stat.S_IFLNK | 0o777, b"/bin/busybox")


def add_entry(archive: Newc, entry: str) -> None:
    kind, _, rest = entry.partition(":")
    path, _, what = rest.partition("=")
    if kind == "dir":
        path, _, mode = path.partition(":")
        archive.directory(path, int(mode or "755", 8))
        return
    archive.parent(path)
    if kind == "file":
        host, _, mode = what.partition(":")
        archive.add(path, stat.S_IFREG | int(mode or "755", 8), pathlib.Path(host).read_bytes())
    elif kind == "link":
        archive.add(path, stat.S_IFLNK | 0o777, what.encode())
    elif kind == "node":
        dev = what.split(":")
        archive.add(path, stat.S_IFCHR | int(dev[3] if len(dev) > 3 else "600", 8), rdev=(int(dev[1]), int(dev[2])))
    else:
        raise SystemExit(f"mkinitramfs: unknown kind of entry: {entry}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", required=True)
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("--busybox")
    parser.add_argument("entry", nargs="*")
    args = parser.parse_args()
    archive = Newc()
    for directory in ("dev", "proc", "sys", "tmp", "root", "etc"):
        archive.directory(directory, 0o1777 if directory == "tmp" else 0o755)
    archive.add("dev/console", stat.S_IFCHR | 0o600, rdev=(5, 1))
    if args.busybox:
        if not pathlib.Path(args.busybox).exists():
            print(f"mkinitramfs: {args.busybox} is not there: apt-get install busybox-static", file=sys.stderr)
            return 1
        install_busybox(archive, args.busybox)
    for entry in args.entry:
        add_entry(archive, entry)
    data = archive.finish()
    pathlib.Path(args.o).write_bytes(gzip.compress(data, mtime=0) if args.gzip else data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
