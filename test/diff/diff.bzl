"""The differential runs' targets."""

_DATA = ["diff.py", ":blocks", "//:bzImage_file", "//tools:mkinitramfs.py"]
_ARGS = ["--program=$(location :blocks)", "--kernel=$(location //:bzImage_file)"]

def diff_golden_test(name, golden):
    """Our image's verdicts against recorded ones."""
    native.sh_test(
        name = name,
        size = "medium",
        srcs = ["//test/boot:run_python.sh"],
        args = ["test/diff/diff.py", "--golden=$(location %s)" % golden] + _ARGS,
        data = [golden] + _DATA,
        tags = ["guest", "qemu"],
    )

def diff_debian_test(name, kind, count = 100000):
    """Our image's verdicts against those of Debian's kernel, run now."""
    native.sh_test(
        name = name,
        size = "enormous",
        srcs = ["on_debian"],
        args = ["--kind=" + kind, "--count=%d" % count, "--timeout=1700"] + _ARGS,
        data = ["//tools:with_debian_kernel"] + _DATA,
        tags = ["guest", "manual", "qemu"],
    )
