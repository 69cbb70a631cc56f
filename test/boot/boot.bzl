"""Tests that boot the image in QEMU."""

def qemu_script_test(name, script, golden = None, args = [], data = [], expect = ["leak check: clean"], **kwargs):
    """Runs a shell script on the image, compares its output with the golden file, and looks for texts on the console."""
    native.sh_test(
        name = name,
        size = "large",
        srcs = ["run_python.sh"],
        args = [
            "test/boot/qemu_script.py",
            "--kernel=$(location //:bzImage_file)",
            "--init=$(location init)",
            "--script=$(location %s)" % script,
        ] + (["--golden=$(location %s)" % golden] if golden else []) + ["--expect='%s'" % text for text in expect] + args,
        data = [
            "init",
            "qemu_script.py",
            script,
            "//:bzImage_file",
            "//tools:mkinitramfs.py",
        ] + ([golden] if golden else []) + data,
        tags = ["qemu"],
        **kwargs
    )
