# Cgroups with a shell: a fork bomb against pids.max, freezing, killing. Recorded on a real 6.1 (record_golden).
# SPDX-License-Identifier: Apache-2.0
echo "== cgroups"
mount -t sysfs sysfs /sys
mount -t cgroup2 none /sys/fs/cgroup && echo mounted
cd /sys/fs/cgroup
grep pids /proc/cgroups | tr '\t' ' ' | cut -d' ' -f1,2,4
mkdir a
echo +pids > cgroup.subtree_control
cat cgroup.subtree_control
echo 10 > a/pids.max
cat > /tmp/bomb.sh <<'X'
echo 0 > /sys/fs/cgroup/a/cgroup.procs
bomb() { bomb 2>/dev/null & bomb 2>/dev/null & sleep 1; }
bomb
X
sh /tmp/bomb.sh 2>/dev/null &
sleep 1
echo "at most 10: $([ "$(cat a/pids.peak)" -le 10 ] && echo yes)"
echo "refused: $([ "$(sed 's/max //' a/pids.events)" -gt 0 ] && echo yes)"
echo 1 > a/cgroup.kill
wait
sleep 1
cat a/cgroup.events
cat a/pids.current
echo "== freeze"
: > /tmp/count
(while :; do echo x >> /tmp/count; done) &
p=$!
echo $p > a/cgroup.procs
cat /proc/$p/cgroup
echo 1 > a/cgroup.freeze
sleep 1
cat a/cgroup.events
n=$(wc -c < /tmp/count); sleep 1; m=$(wc -c < /tmp/count)
[ $n = $m ] && echo "it stands still"
echo 0 > a/cgroup.freeze; sleep 1
[ $(wc -c < /tmp/count) -gt $m ] && echo "it goes on"
rmdir a
echo 1 > a/cgroup.kill
wait $p; echo "status $?"
cat a/cgroup.events
rmdir a && ls -d a
cat /proc/self/cgroup
