# Cpusets that are partitions: what may be one, what that takes from others, CPUs that go and come. Four CPUs.
mount -t sysfs sys /sys 2>/dev/null
mount -t cgroup2 none /sys/fs/cgroup
cd /sys/fs/cgroup
cpu=/sys/devices/system/cpu
say() { for f in "$@"; do echo "$f: $(cat $f)"; done; }
write() { echo "$1" >$2 2>/tmp/err; r=$?; echo "$2 = '$1': $r$(sed 's/.*: / /' /tmp/err)"; }
make() { write $1 $2/cpuset.cpus.partition; say $2/cpuset.cpus.partition; }
echo +cpuset >cgroup.subtree_control
mkdir a b
echo "== what may be one"
ls cpuset.cpus.partition 2>&1
say a/cpuset.cpus.partition
make root a
write 2-3 a/cpuset.cpus
say a/cpuset.cpus.partition
make member a
for word in ROOT '' 'root isolated' isolate 1; do write "$word" a/cpuset.cpus.partition; done
make root a
echo "== what it takes"
say cpuset.cpus.effective a/cpuset.cpus.effective b/cpuset.cpus.effective
taskset -p $$ | sed 's/.*mask/mask/'
write 3 b/cpuset.cpus
say b/cpuset.cpus.effective
make root b
rmdir b
taskset 8 true 2>&1 | sed 's/pid [0-9]*/pid PID/'
sleep 100 & p=$!
echo $p >a/cgroup.procs
taskset -p $p | sed 's/.*mask/mask/'
taskset -p 1 $p 2>&1 | sed 's/pid [0-9]*/pid PID/g' | tail -1
echo "== nested"
echo +cpuset >a/cgroup.subtree_control
mkdir a/c
write 3 a/c/cpuset.cpus
make root a/c
say a/cpuset.cpus.effective a/c/cpuset.cpus.effective
make member a
say a/c/cpuset.cpus.partition
make root a
say a/c/cpuset.cpus.partition
rmdir a/c
echo -cpuset >a/cgroup.subtree_control
echo "== isolated"
make isolated a
say a/cpuset.cpus.effective cpuset.cpus.effective
make root a
echo "== CPUs go and come"
for n in 3 2; do echo 0 >$cpu/cpu$n/online; say a/cpuset.cpus.partition a/cpuset.cpus.effective cpuset.cpus.effective; done
taskset -p $p | sed 's/.*mask/mask/'
for n in 2 3; do echo 1 >$cpu/cpu$n/online; done
sleep 1
say a/cpuset.cpus.partition a/cpuset.cpus.effective cpuset.cpus.effective
taskset -p $p | sed 's/.*mask/mask/'
echo "== one that another wants"
mkdir b
write 3 b/cpuset.cpus
say a/cpuset.cpus.partition
write 2-3 a/cpuset.cpus
say a/cpuset.cpus.partition
rmdir b
say a/cpuset.cpus.partition
make root a
echo "== all of them"
write 0-3 a/cpuset.cpus
say a/cpuset.cpus.partition cpuset.cpus.effective
write 1-3 a/cpuset.cpus
say a/cpuset.cpus.partition cpuset.cpus.effective
echo "== the end"
kill $p; wait $p 2>/dev/null
make member a
say cpuset.cpus.effective a/cpuset.cpus.effective
rmdir a
taskset -p $$ | sed 's/.*mask/mask/'
