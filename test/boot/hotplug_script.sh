# CPU 3 of four goes offline and comes back: what /sys and /proc say, what is refused, what becomes of tasks that were bound to it, and
# that under load nothing is lost.
mount -t sysfs sysfs /sys
cd /sys/devices/system/cpu
try() {
  echo "\$ $*"
  sh -c "$*" 2>&1 | sed -E 's/^sh: //; s/pid [0-9]+/pid PID/'
}
cpus() { taskset -p $$ | sed 's/.*: //'; }
hogs_run() { # each hog of the list gets on
  for h in $hogs; do
    a=$(cut -d' ' -f14 /proc/$h/stat) b=$a
    for i in $(seq 100); do
      [ $b -gt $a ] && break
      usleep 100000
      b=$(cut -d' ' -f14 /proc/$h/stat)
    done
    [ $b -gt $a ] && echo "a hog runs" || echo "a hog starves"
  done
}
echo "== all there"
ls -d cpu[0-9]
cat possible present online offline
cat cpu1/online cpu3/online
ls -l cpu3/online | cut -c1-10
nproc
echo "== what is refused"
try 'echo 2 > cpu3/online'
try 'echo x > cpu3/online'
try 'echo > cpu3/online'
try 'echo 1 > cpu3/online; echo status $?'
try '/load user 1000 sh -c "echo 0 > cpu3/online"'
try 'cat cpu0/online'
echo "== offline"
taskset 8 sleep 1000 &
bound=$!
usleep 300000
echo 0 > cpu3/online && echo gone
cat cpu3/online online offline present possible
nproc
grep -c ^processor /proc/cpuinfo
grep -c '^cpu[0-9]' /proc/stat
cpus
grep Cpus_allowed: /proc/self/status
try taskset 8 true
try "taskset c grep Cpus_allowed_list /proc/self/status"
try 'echo 0 > cpu3/online; echo status $?'
kill $bound
wait $bound 2>/dev/null
echo "== back"
echo 1 > cpu3/online && echo here
cat cpu3/online online
echo "[$(cat offline)]"
nproc
cpus
taskset 8 cut -d' ' -f39 /proc/self/stat
echo "== a hog that was bound to it"
taskset 8 /load user 0 sh -c 'while :; do :; done' &
hogs=$!
usleep 300000
echo 0 > cpu3/online
usleep 300000
hogs_run
grep Cpus_allowed: /proc/$hogs/status
echo 1 > cpu3/online
grep Cpus_allowed: /proc/$hogs/status
kill $hogs
wait $hogs 2>/dev/null
echo "== of a sleeper"
taskset 8 sleep 2 &
p=$!
usleep 300000
echo 0 > cpu3/online
wait $p
echo "woke, status $?"
echo 1 > cpu3/online
echo "== under load"
hogs=
for i in 1 2 3 4 5 6; do
  sh -c 'while :; do :; done' &
  hogs="$hogs $!"
done
for i in 1 2 3; do hackbench -p -P -g 2 -f 5 -l 100 >/dev/null && hackbench -T -g 2 -f 5 -l 100 >/dev/null; done &
bench=$!
for i in 1 2 3 4 5 6 7 8; do
  echo 0 > cpu3/online || echo "refused to go"
  [ $((i % 2)) = 0 ] && { echo 0 > cpu2/online || echo "refused to go"; }
  cat online
  usleep 100000
  echo 1 > cpu3/online || echo "refused to come"
  [ $((i % 2)) = 0 ] && { echo 1 > cpu2/online || echo "refused to come"; }
  usleep 100000
done
wait $bench
echo "hackbench's status $?"
hogs_run
kill $hogs
wait $hogs 2>/dev/null
for i in 0 1 2 3; do taskset -c $i cut -d' ' -f39 /proc/self/stat; done
echo "== all but one"
for i in 3 2 1; do echo 0 > cpu$i/online; done
cat online
nproc
hackbench -p -T -g 1 -f 5 -l 50 >/dev/null
echo "status $?"
for i in 1 2 3; do echo 1 > cpu$i/online; done
cat online
cd /
