"""The guest suite's targets."""

load("@rules_cc//cc:defs.bzl", "cc_library", "cc_test")

_COPTS = ["-std=c++23", "-O1", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-missing-field-initializers"]

def guest_tests():
    """One cc_test for each *_test.cc, linked statically, run on the Linux at hand; :cases is all of them as a library."""
    for src in native.glob(["*_test.cc"]):
        cc_library(
            name = src[:-3] + "_cases",
            testonly = True,
            srcs = [src],
            copts = _COPTS,
            features = ["-supports_pic"],
            linkstatic = True,
            alwayslink = True,
            tags = ["guest"],
            deps = [":guest"],
        )
        cc_test(
            name = src[:-3],
            size = "medium",
            features = ["-supports_pic"],
            linkopts = ["-static"],
            linkstatic = True,
            tags = ["guest"],
            deps = [":%s_cases" % src[:-3]],
        )
    cc_library(
        name = "cases",
        testonly = True,
        tags = ["guest"],
        deps = [":%s_cases" % src[:-3] for src in native.glob(["*_test.cc"])],
    )

def guest_image_test(name, kernel, args = []):
    """Boots a kernel with :guest_all as its init; its cases are counted one by one."""
    native.sh_test(
        name = name,
        size = "large",
        srcs = ["//test/boot:run_python.sh"],
        args = [
            "test/guest/run_guest.py",
            "--kernel=$(location %s)" % kernel,
            "--program=$(location :guest_all)",
        ] + args,
        data = [
            "run_guest.py",
            ":guest_all",
            kernel,
            "//tools:mkinitramfs.py",
        ],
        tags = ["guest", "qemu"],
    )
