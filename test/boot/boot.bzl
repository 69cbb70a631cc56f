"""Tests that boot the image in QEMU."""

def qemu_script_test(name, script, golden, args = [], data = [], **kwargs):
    """Runs a shell script on the image and compares its output with the golden file."""
    native.sh_test(
        name = name,
        size = "large",
        srcs = ["run_python.sh"],
        args = [
            "test/boot/qemu_script.py",
            "--kernel=$(location //:bzImage_file)",
            "--init=$(location init)",
            "--script=$(location %s)" % script,
            "--golden=$(location %s)" % golden,
            "--expect='leak check: clean'",
        ] + args,
        data = [
            "init",
            "qemu_script.py",
            script,
            golden,
            "//:bzImage_file",
            "//tools:mkinitramfs.py",
        ] + data,
        tags = ["qemu"],
        **kwargs
    )
