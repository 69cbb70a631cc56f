#!/usr/bin/env python3
"""Writes compile_commands.json for clangd from bazel's own actions, for the hosted machine and for the image."""
# SPDX-License-Identifier: Apache-2.0
import json
import pathlib
import subprocess
import sys


def main() -> int:
    root = pathlib.Path(__file__).resolve().parents[1]
    query = 'mnemonic("CppCompile", deps(//:hosted) + deps(//:bzImage) + deps(//test/...))'
    found = subprocess.run(["bazel", "aquery", "--output=jsonproto", query], cwd=root, capture_output=True, text=True, check=False)
    if found.returncode:
        print(found.stderr, file=sys.stderr)
        return 1
    execroot = subprocess.run(["bazel", "info", "execution_root"], cwd=root, capture_output=True, text=True,
                              check=True).stdout.strip()
    entries: dict[str, dict] = {}
    for action in json.loads(found.stdout)["actions"]:
        arguments = action["arguments"]
        source = arguments[arguments.index("-c") + 1]
        if not source.startswith("external/"):
            entries.setdefault(source, {"directory": execroot, "file": str(root / source), "arguments": arguments})
    (root / "compile_commands.json").write_text(json.dumps(list(entries.values()), indent=1))
    print(f"{len(entries)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
