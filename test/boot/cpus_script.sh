# CPUs taken down and up through /sys, and what they leave behind: the files, affinities, cpusets, tasks that run. Four CPUs.
mount -t sysfs sys /sys 2>/dev/null
cd /sys/devices/system/cpu
masks() {
  for f in online offline possible present; do echo "$f: $(cat $f)"; done
}
affinity() { taskset -p $1 | sed 's/.*mask/mask/'; }
echo "== the files"
masks
ls cpu0/online 2>&1
cat cpu1/online cpu2/online cpu3/online
echo "== what may be written"
for v in 2 -1 x o '' 00 01 y n on off T 0x0 '1 1'; do
  echo -n "$v" >cpu1/online
  echo "'$v': $? now $(cat cpu1/online)"
done
echo 1 >online
echo "online: $?"
echo 1 >cpu1/online
echo "up when up: $?"
echo 0 >cpu1/online
echo "down: $? now $(cat cpu1/online)"
echo 0 >cpu1/online
echo "down when down: $?"
echo "== with one down"
masks
grep ^processor /proc/cpuinfo
grep ^cpu /proc/stat | cut -d' ' -f1
nproc
grep Cpus_allowed /proc/self/status
affinity $$
taskset 2 true
echo "taskset to it: $?"
taskset -p 6 $$ >/dev/null
affinity $$
taskset -p f $$ >/dev/null
affinity $$
echo 1 >cpu1/online
echo "up: $?"
affinity $$
taskset -p f $$ >/dev/null
echo "== who runs there"
taskset 8 sh -c 'while :; do :; done' &
p=$!
usleep 300000
cut -d' ' -f39 /proc/$p/stat
echo 0 >cpu3/online
affinity $p
grep Cpus_allowed /proc/$p/status
[ $(cut -d' ' -f39 /proc/$p/stat) != 3 ] && echo elsewhere
echo 1 >cpu3/online
affinity $p
taskset -p 8 $p >/dev/null
usleep 100000
cut -d' ' -f39 /proc/$p/stat
kill $p
echo "== who sleeps there"
taskset 4 sleep 1000 &
p=$!
usleep 300000
echo 0 >cpu2/online
affinity $p
grep Cpus_allowed /proc/$p/status
echo 1 >cpu2/online
affinity $p
kill $p
echo "== all but one"
for i in 1 2 3; do echo 0 >cpu$i/online; done
masks
nproc
for i in 3 2 1; do echo 1 >cpu$i/online; done
masks
echo "== cpusets"
mkdir -p /cg
mount -t cgroup2 none /cg
echo +cpuset >/cg/cgroup.subtree_control
mkdir /cg/a
echo 2-3 >/cg/a/cpuset.cpus
sleep 1000 &
p=$!
echo $p >/cg/a/cgroup.procs
for change in "0 3" "0 2" "1 2" "1 3"; do
  set -- $change
  echo $1 >cpu$2/online
  usleep 300000
  echo "cpu$2 $1: $(cat /cg/a/cpuset.cpus) $(cat /cg/a/cpuset.cpus.effective) $(affinity $p)"
done
kill $p
echo "== again and again, with others running"
(while :; do :; done) &
a=$!
(while :; do sleep 0.01; done) &
b=$!
(while :; do echo x; done | cat >/dev/null) &
c=$!
for i in $(seq 1 12); do
  cpu=$((i % 3 + 1))
  echo 0 >cpu$cpu/online || echo "down $i: $?"
  echo 1 >cpu$cpu/online || echo "up $i: $?"
done
masks
kill $a $b $c
for i in 0 1 2 3; do taskset $((1 << i)) cut -d' ' -f39 /proc/self/stat; done
