#!/usr/bin/env python3
"""Where the guest's instructions go: boots procbench in QEMU, traces every translation block for a moment, and counts.
SPDX-License-Identifier: Apache-2.0

usage: guest_profile.py --image BZIMAGE --vmlinux ELF --procbench procbench.c [--per FUNCTION] [--ms N] BENCH
Prints instructions by function, divided by how often --per (default: do_syscall) was entered, so that the figures are
per operation. QEMU's plugin interface is not in Debian's build; its exec log names each block that runs, and a block's
length is known from the disassembly."""
import argparse, bisect, collections, os, re, socket, subprocess, sys, tempfile, time

BRANCH = re.compile(r"^(j|call|ret|iret|sysret|syscall|int|hlt|loop|rep ret|bnd jmp|bnd ret|ud2|wrmsr|mov .*%cr|sti|cli|swapgs|pushf|popf|invlpg|ltr|lgdt|lidt)")


def disassemble(elf):
    """address -> (length, ends a block, text)"""
    out = subprocess.run(["objdump", "-d", "--no-show-raw-insn", "-w", elf], capture_output=True, text=True).stdout
    code, previous = {}, None
    for line in out.splitlines():
        m = re.match(r"^\s*([0-9a-f]+):\s+(.*)", line)
        if not m:
            continue
        a, text = int(m.group(1), 16), m.group(2)
        if previous is not None and a - previous < 16:
            code[previous][0] = a - previous
        code[a] = [1, bool(BRANCH.match(text)), text]
        previous = a
    return code


def symbols(elf):
    out = subprocess.run(["nm", "-C", elf], capture_output=True, text=True).stdout
    rows = []
    for line in out.splitlines():
        p = line.split(" ", 2)
        if len(p) == 3 and p[1] in "tTwW":
            rows.append((int(p[0], 16), re.sub(r"\(.*", "", p[2].replace("(anonymous namespace)::", ""))))
    rows.sort()
    return [r[0] for r in rows], [r[1] for r in rows]


def monitor(sock, command):
    sock.sendall(command.encode() + b"\n")
    time.sleep(0.05)
    sock.recv(65536)


def run(args, tmp):
    root = os.path.join(tmp, "root")
    os.mkdir(root)
    subprocess.run(["musl-gcc", "-std=c11", "-static", "-O2", "-s", "-o", root + "/init", args.procbench], check=True)
    with open(tmp + "/initramfs", "wb") as f:
        subprocess.run("echo init | cpio -o -H newc --quiet", shell=True, cwd=root, stdout=f, check=True)
    log, trace, path = tmp + "/serial", tmp + "/trace", tmp + "/mon"
    q = subprocess.Popen(["qemu-system-x86_64", "-M", "pc", "-cpu", "max,la57=off,erms=off", "-smp", "1", "-m", "1024M",
                          "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-accel", "tcg",
                          "-rtc", "base=2024-01-01T00:00:00,clock=vm", "-seed", "1", "-icount", "shift=0,sleep=off",
                          "-monitor", f"unix:{path},server,nowait", "-serial", "file:" + log, "-kernel", args.image,
                          "-initrd", tmp + "/initramfs", "-append",
                          f"console=ttyS0 quiet panic=-1 -- {args.bench}=100000000"])
    try:
        for _ in range(400):
            time.sleep(0.1)
            if os.path.exists(log) and b"PROCBENCH START" in open(log, "rb").read():
                break
        else:
            sys.exit("procbench did not start:\n" + open(log, errors="replace").read()[-2000:])
        time.sleep(args.settle)
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        time.sleep(0.1)
        s.recv(65536)
        monitor(s, "logfile " + trace)
        monitor(s, "log exec,nochain")
        time.sleep(args.ms / 1000)
        monitor(s, "log none")
    finally:
        q.kill()
        q.wait()
    return trace


def count(trace, code, starts, names):
    by, entries, user = collections.Counter(), collections.Counter(), 0
    blocks = {}
    pcs = [int(m.group(1), 16) for m in re.finditer(r"\[[0-9a-f]+/([0-9a-f]+)/", open(trace, errors="replace").read())]
    for here, after in zip(pcs, pcs[1:]):
        if here < 1 << 47:
            user += 1
            continue
        key = (here, after)
        n = blocks.get(key)
        if n is None:
            n, a = 0, here
            while a in code and (n == 0 or a != after) and n < 512:
                n += 1
                repeats = code[a][2].startswith("rep") and (a == after or code[a][0] + a == after)
                if code[a][1] or repeats:  # each turn of a repeated instruction is a block of its own
                    break
                a += code[a][0]
            blocks[key] = n
        i = bisect.bisect_right(starts, here) - 1
        by[names[i]] += n
        if starts[i] == here:
            entries[names[i]] += 1
    return by, entries, user


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--image", required=True)
    p.add_argument("--vmlinux", required=True)
    p.add_argument("--procbench", required=True)
    p.add_argument("--per", default="do_syscall")
    p.add_argument("--ms", type=int, default=300)
    p.add_argument("--settle", type=float, default=1)
    p.add_argument("--top", type=int, default=60)
    p.add_argument("bench")
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        trace = run(args, tmp)
        starts, names = symbols(args.vmlinux)
        by, entries, user = count(trace, disassemble(args.vmlinux), starts, names)
    per = max(1, entries[args.per])
    total = sum(by.values())
    print(f"{args.bench}: {total / per:.1f} kernel instructions per {args.per} ({per} of them seen)")
    for name, n in by.most_common(args.top):
        print(f"{n / per:10.1f} {100 * n / total:5.1f}%  calls {entries[name] / per:7.2f}  {name}")


main()
