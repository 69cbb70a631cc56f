# Tracing with a shell: what the files say and refuse, and the text of a trace. Recorded on a real 6.1 (record_golden). Names of processes,
# numbers and times are masked; of the events only those that this script makes are kept.
# SPDX-License-Identifier: Apache-2.0
echo "== files"
mount -t sysfs sysfs /sys
mount -t tracefs nodev /sys/kernel/tracing && echo mounted
grep tracefs /proc/mounts
cd /sys/kernel/tracing
ls -ld . events events/sched events/sched/sched_switch per_cpu per_cpu/cpu0 | awk '{ print $1, $NF }'
for f in available_events available_tracers buffer_size_kb buffer_total_size_kb current_tracer saved_cmdlines set_event trace trace_marker \
  trace_pipe tracing_on events/enable events/sched/enable events/sched/sched_switch/enable events/sched/sched_switch/format \
  events/sched/sched_switch/id per_cpu/cpu0/trace per_cpu/cpu0/stats per_cpu/cpu0/buffer_size_kb; do
  ls -l $f | awk '{ print $1, $NF }'
done
echo "== before anything is enabled"
cat trace per_cpu/cpu0/trace
cat tracing_on current_tracer buffer_size_kb set_event events/enable events/sched/enable events/sched/sched_switch/enable
grep -c nop available_tracers
grep -E '^sched:sched_(switch|wak|process_[fwe]|migrate|stat|pi|kthread_stop)' available_events
for e in switch waking wakeup_new migrate_task process_fork process_exec process_exit stat_runtime stat_wait pi_setprio kthread_stop \
  kthread_stop_ret wake_idle_without_ipi; do
  cat events/sched/sched_$e/format | grep -v '^print fmt.*prev_state'
done
echo "== what is refused"
try() { sh -c "$1" 2>&1 | sed 's/^sh: //'; }
try 'echo 2 > tracing_on; cat tracing_on'
try 'echo x > tracing_on'
try 'echo 0 > buffer_size_kb'
try 'echo x > buffer_size_kb'
try 'echo foo > current_tracer'
try 'echo nop > current_tracer; cat current_tracer'
try 'echo foo > set_event'
try 'echo sched:foo > set_event'
try 'echo 2 > events/sched/enable'
try 'echo x > events/sched/enable'
try 'echo 2 > events/sched/sched_switch/enable'
try 'echo 1 > events/sched/bogus'
try 'mkdir foo'
try 'rm trace'
try 'rmdir events'
try 'echo junk > trace_pipe'
try 'cat trace_marker'
try 'echo 0 > tracing_on; echo x > trace_marker'
echo 1 > tracing_on
echo "== sizes"
for kb in 64 10 1 2000; do
  echo $kb > buffer_size_kb
  cat buffer_size_kb buffer_total_size_kb per_cpu/cpu0/buffer_size_kb
done
echo "== set_event"
set_event() { echo "$1" > set_event; cat set_event events/sched/enable; }
set_event sched:sched_switch
echo sched:sched_wakeup >> set_event
cat set_event
echo '!sched:sched_wakeup' >> set_event
cat set_event
set_event '*:sched_switch'
set_event sched_wakeup
echo sched > set_event
cat events/sched/enable
echo > set_event
cat set_event
cat events/sched/enable
echo "== markers"
echo > trace
echo hello > trace_marker
printf nonl > trace_marker
mask() { sed -E -e 's/^ *(<idle>|[^ ]+)-[0-9]+ +/TASK /' -e 's/ +[0-9]+\.[0-9]{6}:/ TIME:/' -e 's/pid=[0-9]+/pid=N/g'; }
cat trace | mask
cat per_cpu/cpu0/stats | sed -E 's/[0-9]+\.[0-9]+$/TIME/; s/bytes: .*/bytes: N/; s/ +TIME/ TIME/'
(timeout 1 cat trace_pipe > /tmp/pipe) 2>/dev/null
mask < /tmp/pipe
cat trace | grep entries
cat per_cpu/cpu0/stats | grep read
echo "== a life"
cat > /tmp/life.sh <<'X'
sh -c 'echo $$ > /tmp/child; exec /bin/busybox true'
X
echo 1 > events/sched/sched_process_fork/enable
echo 1 > events/sched/sched_process_exec/enable
echo 1 > events/sched/sched_process_exit/enable
echo 1 > events/sched/sched_wakeup_new/enable
cat events/sched/enable
echo > trace
sh /tmp/life.sh
echo 0 > events/enable
child=$(cat /tmp/child)
grep -E "pid=$child( |$)" trace | mask | sed -E 's/comm=[^ ]+/comm=C/g; s/(filename=)[^ ]+/\1F/'
grep "sched_process_exec.*pid=$child" trace | sed -E "s/.*(filename.*)/\1/; s/$child/CHILD/g"
echo "== off"
echo 0 > tracing_on
echo > trace
echo 1 > events/sched/enable
sleep 0.1
grep entries trace
echo 0 > events/enable
