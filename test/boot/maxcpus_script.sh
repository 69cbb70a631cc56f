# Sixteen CPUs, of which two are started at boot (maxcpus=2) and the others later, through /sys: they were never up before.
mount -t sysfs sys /sys 2>/dev/null
cd /sys/devices/system/cpu
where() { taskset $1 sh -c 'cut -d" " -f39 /proc/self/stat'; }
there() {
  for f in possible present online offline; do echo "$f: $(cat $f)"; done
  grep -c ^processor /proc/cpuinfo
  nproc
}
echo "== two of sixteen"
there
cat cpu15/online
taskset 8000 true 2>&1 | sed 's/pid [0-9]*/pid PID/'
echo "== one more"
echo 1 >cpu7/online; echo "status $?"
there
where 80
echo "== all"
for n in 2 3 4 5 6 8 9 10 11 12 13 14 15; do echo 1 >cpu$n/online || echo "cpu$n: $?"; done
there
for mask in 1 2 4 8 10 20 40 80 100 200 400 800 1000 2000 4000 8000; do where $mask; done | tr '\n' ' '; echo
echo "== work for each"
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do sh -c 'n=0; while [ $n -lt 2000 ]; do n=$((n + 1)); done; exit 5' & pids="$pids $!"; done
for p in $pids; do wait $p; echo -n "$? "; done; echo
echo "== down and up again"
for n in 15 7; do echo 0 >cpu$n/online; done
cat online
for n in 7 15; do echo 1 >cpu$n/online; done
cat online
where 8000
