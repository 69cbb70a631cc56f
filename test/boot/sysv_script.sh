#!/bin/sh
# System V IPC: what /proc says, and all that sysv.c asks.
exec 2>&1
cat /proc/sys/kernel/sem /proc/sys/kernel/msgmax /proc/sys/kernel/msgmnb /proc/sys/kernel/msgmni
cat /proc/sysvipc/sem /proc/sysvipc/msg
/sysv
awk '{ NF -= 2; print }' /proc/sysvipc/sem | head -4
cat /proc/sysvipc/msg
echo '250 32000 32 128' >/proc/sys/kernel/sem; echo $?; cat /proc/sys/kernel/sem
echo '250 32000 32' >/proc/sys/kernel/sem; echo $?; cat /proc/sys/kernel/sem
echo 100 >/proc/sys/kernel/msgmax; echo $?; cat /proc/sys/kernel/msgmax
echo -1 >/proc/sys/kernel/msgmax; echo $?; cat /proc/sys/kernel/msgmax
unshare -i sh -c 'cat /proc/sys/kernel/sem /proc/sys/kernel/msgmax; cat /proc/sysvipc/sem; echo 99 >/proc/sys/kernel/msgmax'
cat /proc/sys/kernel/msgmax
ls -l /proc/sys/kernel/sem /proc/sys/kernel/msgmax /proc/sysvipc/sem | cut -c1-10
