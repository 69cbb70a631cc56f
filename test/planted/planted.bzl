"""planted_program: kernel code with the bugs of bugs.txt in it, asleep until CF_PLANTED wakes one, linked before the real thing."""

_FLAGS = " ".join([
    "-std=c++23 -O1 -g1 -w -ffreestanding -fno-exceptions -fno-rtti -fno-threadsafe-statics -fno-strict-aliasing",
    "-fno-delete-null-pointer-checks -fno-omit-frame-pointer -fno-pie -U_FORTIFY_SOURCE -DCF_RACE_POINTS",
])

def _archives(deps):
    found = {}
    for dep in deps:
        for link_input in dep[CcInfo].linking_context.linker_inputs.to_list():
            for lib in link_input.libraries:
                archive = lib.static_library or lib.pic_static_library
                if archive:
                    found[archive] = True
    return found.keys()

def _impl(ctx):
    program = ctx.actions.declare_file(ctx.label.name)
    headers = depset(transitive = [d[CcInfo].compilation_context.headers for d in ctx.attr.headers])
    archives = _archives(ctx.attr.deps)
    generated = ctx.bin_dir.path
    work = program.path + ".dir"

    # A header is looked for among the planted ones first; a planted source is compiled in place of its original.
    script = """
set -e
mkdir -p {work}/planted
python3 -B {tool} --out {work}/planted
flags="{flags} -iquote {work}/planted -iquote . -iquote {gen} -Iinclude -I{gen}/generated_include -iquote arch/hosted/include -Iarch/hosted/include"
compile() {{
  src=$1; [ -e {work}/planted/$1 ] && src={work}/planted/$1
  g++ $flags -iquote $(dirname $1) -c $src -o {work}/$(echo $1 | tr / _).o
}}
# One by one, so that a copy that does not compile fails the build: the original would be linked in its place.
wait_for() {{ for p in $pids; do wait $p; done; pids=; }}
n=0
for f in {srcs}; do
  compile $f & pids="$pids $!"
  n=$((n + 1)); [ $((n % 2)) = 1 ] || wait_for
done
wait_for
g++ -no-pie -Wl,-z,noexecstack -Wl,-z,muldefs -o {out} {work}/*.o -Wl,--whole-archive {archives} -Wl,--no-whole-archive -lunwind -lpthread -ldl
""".format(
        work = work,
        tool = ctx.file._tool.path,
        flags = _FLAGS,
        gen = generated,
        srcs = " ".join([f.path for f in ctx.files.srcs if f.extension == "cc"]),
        out = program.path,
        archives = " ".join([a.path for a in archives]),
    )
    ctx.actions.run_shell(
        outputs = [program],
        inputs = depset(ctx.files.srcs + archives + [ctx.file._tool, ctx.file._bugs], transitive = [headers]),
        command = script,
        mnemonic = "PlantedBugs",
        use_default_shell_env = True,
    )
    return [DefaultInfo(files = depset([program]), executable = program, runfiles = ctx.runfiles(files = [program]))]

planted_program = rule(
    implementation = _impl,
    executable = True,
    attrs = {
        "srcs": attr.label_list(allow_files = True),
        "headers": attr.label_list(providers = [CcInfo]),
        "deps": attr.label_list(providers = [CcInfo]),
        "_tool": attr.label(default = "//test/planted:plant.py", allow_single_file = True),
        "_bugs": attr.label(default = "//test/planted:bugs.txt", allow_single_file = True),
    },
)
