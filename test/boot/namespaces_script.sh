#!/bin/sh
# Namespaces from the shell. Its output must not depend on time, nor on the number of processes there are.
exec 2>&1
section() { echo "== $1"; }

section numbers
for n in ipc pid pid_for_children time time_for_children user uts cgroup; do readlink /proc/self/ns/$n; done
stat -L -c %i /proc/self/ns/uts
ls /proc/self/ns

section uts
hostname outside
unshare -u sh -c 'hostname inside; hostname; cat /proc/sys/kernel/hostname'
hostname
unshare -u sh -c 'hostname kept; touch /tmp/uts; mount --bind /proc/self/ns/uts /tmp/uts'
nsenter --uts=/tmp/uts hostname
umount /tmp/uts
hostname

section pid
unshare -p -f --mount-proc sh -c 'echo $$; ls -d /proc/[0-9]*; readlink /proc/self; grep -E "^(Pid|PPid|NSpid|NSpgid|NSsid):" /proc/self/status'
unshare -p -f sh -c 'kill -KILL 1; kill -TERM 1; echo still here; sh -c "exit 3"; echo $?'
unshare -p -f sh -c '(sleep 1000 &); exit 4'; echo $?
unshare -p sh -c 'sh -c "echo \$\$"; sh -c "echo \$\$"' | head -1
unshare -p -f sh -c 'unshare -p -f sh -c "echo \$\$"; echo $$'

section time
cat /proc/self/timens_offsets

section ipc
unshare -i sh -c 'cat /proc/sysvipc/sem /proc/sysvipc/msg; cat /proc/sys/kernel/sem /proc/sys/kernel/msgmax'

section errors
unshare -p sh -c 'unshare -p true'; echo $?
nsenter --uts=/etc true; echo $?
