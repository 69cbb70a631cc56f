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
    "-g1",
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
HOST_COPTS = ["-std=c++23", "-O1", "-g1", "-fno-omit-frame-pointer", "-fno-pie", "-Wall", "-Wextra", "-Wno-unused-parameter"]

# Neither a higher-half kernel nor fibers are position independent.
KERNEL_FEATURES = ["-supports_pic"]

def kernel_headers(name = "hdrs"):
    """The headers of one package, for //:headers."""
    native.filegroup(
        name = name,
        srcs = native.glob(["**/*.hh", "**/*.h", "**/*.inc"], allow_empty = True),
        visibility = ["//visibility:public"],
    )

def kernel_library(name, srcs, deps = [], **kwargs):
    """Kernel code. Any of it may call any other, so it sees all headers, and all of it is linked."""
    cc_library(
        name = name,
        srcs = srcs,
        copts = KERNEL_COPTS,
        features = KERNEL_FEATURES,
        linkstatic = True,
        alwayslink = True,
        deps = ["//:headers"] + deps,
        visibility = ["//visibility:public"],
        **kwargs
    )

def host_library(name, srcs, deps = [], **kwargs):
    """Host-side code of the hosted machine."""
    cc_library(
        name = name,
        srcs = srcs,
        copts = HOST_COPTS,
        features = KERNEL_FEATURES,
        linkstatic = True,
        alwayslink = True,
        deps = ["//:host_headers"] + deps,
        visibility = ["//visibility:public"],
        **kwargs
    )

def kunit_test(name, srcs, machines = ["hosted", "x86"], size = "medium", tags = [], **kwargs):
    """KUnit suites: `name` runs them in the hosted machine, one GoogleTest case each (--test_filter works); name_suites is
    what //test:x86_kunit_test boots."""
    kernel_library(name = name + "_suites", srcs = srcs, testonly = True)
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

def _archives(deps):
    """All static libraries below deps, without duplicates."""
    found = {}
    for dep in deps:
        for link_input in dep[CcInfo].linking_context.linker_inputs.to_list():
            for lib in link_input.libraries:
                archive = lib.static_library or lib.pic_static_library
                if archive:
                    found[archive] = True
    return found.keys()

def _bzimage_impl(ctx):
    archives = _archives(ctx.attr.deps)
    image = ctx.actions.declare_file(ctx.label.name)
    vmlinux = ctx.actions.declare_file(ctx.label.name + ".vmlinux")
    setup_archives = _archives(ctx.attr._setup)
    args = ctx.actions.args()
    args.add("--lds", ctx.file._lds)
    args.add("--out-vmlinux", vmlinux)
    args.add("--out", image)
    args.add_all("--setup", setup_archives)
    args.add_all("--archives", archives)
    ctx.actions.run_shell(
        outputs = [image, vmlinux],
        inputs = depset(
            archives + setup_archives + [ctx.file._lds, ctx.file._link],
            transitive = [ctx.attr._tools[DefaultInfo].files],
        ),
        command = 'exec python3 -B "%s" "$@"' % ctx.file._link.path,
        arguments = [args],
        mnemonic = "BzImage",
        progress_message = "Linking %s" % ctx.label.name,
        use_default_shell_env = True,
    )
    return [
        DefaultInfo(files = depset([image])),
        OutputGroupInfo(vmlinux = depset([vmlinux])),
    ]

bzimage = rule(
    implementation = _bzimage_impl,
    doc = "A bootable image of kernel libraries, built for x86 whatever the command line says.",
    attrs = {
        "deps": attr.label_list(cfg = _to_x86, providers = [CcInfo]),
        "_setup": attr.label(default = "//arch/x86:setup", cfg = _to_x86),
        "_lds": attr.label(default = "//arch/x86:vmlinux.lds", allow_single_file = True),
        "_link": attr.label(default = "//arch/x86:tools/link_image.py", allow_single_file = True),
        "_tools": attr.label(default = "//arch/x86:image_tools"),
        "_allowlist_function_transition": attr.label(default = "@bazel_tools//tools/allowlists/function_transition_allowlist"),
    },
)
