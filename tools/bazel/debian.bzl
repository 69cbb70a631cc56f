"""Repository rules that make Debian's packages usable as Bazel repositories."""

_RULES_CC = "/usr/share/bazel/rules/cc"

# Debian's rules_cc 0.0.4 loads use_cpp_toolchain, which its own bazel 4.2.3 lacks, in these two files alone.
_STAND_INS = {
    "cc/private/rules_impl/compiler_flag.bzl": "compiler_flag = None\n",
    "cc/private/rules_impl/cc_flags_supplier.bzl": "cc_flags_supplier = None\n",
}

def _debian_rules_cc_impl(ctx):
    if not ctx.path(_RULES_CC).exists:
        fail("rules_cc is not there: apt-get install bazel-rules-cc")
    ctx.execute(["cp", "-rL", _RULES_CC + "/.", "."])
    for path, text in _STAND_INS.items():
        ctx.file(path, text)

debian_rules_cc = repository_rule(implementation = _debian_rules_cc_impl, local = True)

def _no_coverage_tools_impl(ctx):
    ctx.file("WORKSPACE", "")
    ctx.file("BUILD", "\n".join([
        'filegroup(name = "%s", srcs = [], visibility = ["//visibility:public"])' % name
        for name in ["coverage_report_generator", "lcov_merger"]
    ]))

no_coverage_tools = repository_rule(implementation = _no_coverage_tools_impl)

def _system_libraries_impl(ctx):
    ctx.file("WORKSPACE", "")
    ctx.file("BUILD", "\n".join([
        'cc_library(name = "%s", linkopts = %r, visibility = ["//visibility:public"])' % (name, opts)
        for name, opts in ctx.attr.libraries.items()
    ]))

system_libraries = repository_rule(
    implementation = _system_libraries_impl,
    attrs = {"libraries": attr.string_list_dict(doc = "library name to link options; headers are the system's")},
)
