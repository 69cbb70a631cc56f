"""Rules for kernel code: kernel_library (one folder), kunit_test (a suite, on both machines), bzimage (the x86 image)."""

load("@rules_cc//cc:defs.bzl", "cc_library", "cc_test")

# What is the same for both machines. Freestanding: the kernel brings its own world, in a host process too.
_COMMON = [
    "-std=c++23",
    "-ffreestanding",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-threadsafe-statics",
    "-fno-strict-aliasing",
    "-fno-delete-null-pointer-checks",
    "-fno-omit-frame-pointer",
    "-fno-pie",
    "-U_FORTIFY_SOURCE",
    "-Wall",
    "-Wextra",
    "-Wno-unused-parameter",
    "-Wno-missing-field-initializers",
    "-Werror=return-type",
    "-Werror=unused-result",
    "-Iinclude",
]

KERNEL_COPTS = _COMMON + select({
    "//arch:x86": [
        "-O2",
        "-g1",
        "-mcmodel=kernel",
        "-mno-red-zone",
        "-mgeneral-regs-only",
        "-fno-stack-protector",
        "-ffunction-sections",
        "-fdata-sections",
        "-fno-asynchronous-unwind-tables",
        "-fcf-protection=none",
        "-Iarch/x86/include",
    ],
    "//conditions:default": [
        "-O1",
        "-Iarch/hosted/include",
    ],
})

# Host-side glue of the hosted machine: an ordinary host program.
HOST_COPTS = ["-std=c++23", "-O1", "-fno-omit-frame-pointer", "-fno-pie", "-Wall", "-Wextra", "-Wno-unused-parameter"]

# Neither a higher-half kernel nor fibers are position independent.
KERNEL_FEATURES = ["-supports_pic"]

def kernel_headers(name = "hdrs"):
    """The headers of one package, for //:headers."""
    native.filegroup(
        name = name,
        srcs = native.glob(["**/*.hh", "**/*.h", "**/*.inc"], allow_empty = True),
        visibility = ["//visibility:public"],
    )

def _library(name, copts, headers, deps, **kwargs):
    """All of it is linked: nothing refers to a system call or a suite by name."""
    cc_library(
        name = name,
        copts = copts,
        features = KERNEL_FEATURES,
        linkstatic = True,
        alwayslink = True,
        deps = [headers] + deps,
        visibility = ["//visibility:public"],
        **kwargs
    )

def kernel_library(name, deps = [], **kwargs):
    """Kernel code. Any of it may call any other, so it sees all headers."""
    _library(name, KERNEL_COPTS, "//:headers", deps, **kwargs)

def host_library(name, deps = [], **kwargs):
    """Host-side code of the hosted machine."""
    _library(name, HOST_COPTS, "//:host_headers", deps, **kwargs)

def kunit_tests(**kwargs):
    """One kunit_test for each *_kunit.cc of a package, and :suites, all of them as a library."""
    kernel_headers()
    for src in native.glob(["*_kunit.cc"]):
        kunit_test(name = src[:-3], srcs = [src], **kwargs)
    kernel_library(
        name = "suites",
        srcs = native.glob(["*_kunit.cc"]),
        testonly = True,
    )

def kunit_test(name, srcs, size = "small", tags = [], deps = [], **kwargs):
    """KUnit suites run in the hosted machine, one GoogleTest case each (--test_filter works). The same sources are in
    //test:bzImage_kunit, which //test/boot:kunit_x86_test boots, unless their package is one of HOSTED_AREAS."""
    kernel_library(name = name + "_suites", srcs = srcs, deps = deps, testonly = True)
    cc_test(
        name = name,
        srcs = [],
        size = size,
        features = KERNEL_FEATURES,
        linkopts = ["-no-pie"],
        linkstatic = True,
        tags = tags,
        deps = [":" + name + "_suites", "//test/support:kunit_main"],
        **kwargs
    )

def _to_x86_impl(settings, attr):
    # Sanitizers and coverage are the hosted machine's.
    return {
        "//arch:machine": "x86",
        "//command_line_option:copt": [],
        "//command_line_option:linkopt": [],
        "//command_line_option:features": [],
        "//command_line_option:compilation_mode": "fastbuild",
        "//command_line_option:collect_code_coverage": False,
    }

_to_x86 = transition(
    implementation = _to_x86_impl,
    inputs = [],
    outputs = [
        "//arch:machine",
        "//command_line_option:copt",
        "//command_line_option:linkopt",
        "//command_line_option:features",
        "//command_line_option:compilation_mode",
        "//command_line_option:collect_code_coverage",
    ],
)

def _libraries(deps):
    """All libraries below deps, without duplicates, in link order."""
    found = {}
    for dep in deps:
        for link_input in dep[CcInfo].linking_context.linker_inputs.to_list():
            for lib in link_input.libraries:
                found[lib] = True
    return found.keys()

_LINK_FLAGS = " ".join([
    "-nostdlib",
    "-static",
    "-no-pie",
    "-Wl,--gc-sections",
    "-Wl,-z,max-page-size=4096",
    "-Wl,--build-id=none",
    "-Wl,-z,noexecstack",
    "-Wl,--no-warn-rwx-segments",
])

def _bzimage_impl(ctx):
    archives = [lib.static_library or lib.pic_static_library for lib in _libraries(ctx.attr.deps)]
    archives = [a for a in archives if a]
    setup = []
    for lib in _libraries(ctx.attr._setup):
        setup += lib.objects or lib.pic_objects
    image = ctx.actions.declare_file(ctx.label.name)
    vmlinux = ctx.actions.declare_file(ctx.label.name + ".vmlinux")
    args = ctx.actions.args()
    args.add_all(archives)
    command = " && ".join([
        "g++ {flags} -Wl,-T,{lds} -o {vmlinux}.link -Wl,--whole-archive \"$@\" -Wl,--no-whole-archive -lgcc",
        "python3 -B {tool} --vmlinux {vmlinux}.link --setup-objs {setup} --out {image} --vmlinux-out {vmlinux}",
    ]).format(
        flags = _LINK_FLAGS,
        lds = ctx.file._lds.path,
        vmlinux = vmlinux.path,
        tool = ctx.file._tool.path,
        setup = " ".join([o.path for o in setup]),
        image = image.path,
    )
    ctx.actions.run_shell(
        outputs = [image, vmlinux],
        inputs = archives + setup + [ctx.file._lds, ctx.file._tool],
        command = command,
        arguments = [args],
        mnemonic = "BzImage",
        progress_message = "Linking %s" % ctx.label.name,
        use_default_shell_env = True,
    )
    return [
        DefaultInfo(files = depset([image, vmlinux])),
        OutputGroupInfo(image = depset([image]), vmlinux = depset([vmlinux])),
    ]

bzimage = rule(
    implementation = _bzimage_impl,
    doc = "A bootable image of kernel libraries, built for x86 whatever the command line says.",
    attrs = {
        "deps": attr.label_list(cfg = _to_x86, providers = [CcInfo]),
        "_setup": attr.label(default = "//arch/x86:setup", cfg = _to_x86),
        "_lds": attr.label(default = "//arch/x86:vmlinux.lds", allow_single_file = True),
        "_tool": attr.label(default = "//arch/x86:tools/mkbzimage.py", allow_single_file = True),
        "_allowlist_function_transition": attr.label(default = "@bazel_tools//tools/allowlists/function_transition_allowlist"),
    },
)
