"""The machine that kernel code is compiled for: a build setting."""

MachineInfo = provider(fields = ["name"])

def _machine_flag_impl(ctx):
    if ctx.build_setting_value not in ["hosted", "x86"]:
        fail("//arch:machine is hosted or x86")
    return MachineInfo(name = ctx.build_setting_value)

machine_flag = rule(implementation = _machine_flag_impl, build_setting = config.string(flag = True))
