# What programs see of the CPU. /exceptions is test/boot/exceptions.c; the output is compared with a real Linux 6.1.
echo "== exceptions, signal frames, registers"
/exceptions; echo "status $?"
