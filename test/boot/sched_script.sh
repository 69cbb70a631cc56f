# Who gets how much of a CPU, and what taskset, chrt, nice and renice say, on four CPUs. Debian's programs are in /debian.
alike() { sed -E "s/pid [1-9][0-9]*/pid PID/; s/\b($p|$q)\b/PID/g; s/ $$\$/ PID/"; }
try() {
  echo "\$ $*" | alike
  "$@" 2>&1 | alike
}
asuser() { /load user 1000 "$@"; }
p=none q=none
echo "== the machine"
nproc
grep Cpus_allowed /proc/self/status
echo "== taskset"
try taskset -p $$
try taskset 6 grep Cpus_allowed /proc/self/status
try taskset -c 0,2-3 grep Cpus_allowed /proc/self/status
for cpu in 0 1 2 3; do try taskset -c $cpu cut -d' ' -f39 /proc/self/stat; done
sleep 1000 &
p=$!
usleep 300000
try taskset -p $p
try taskset -p 8 $p
try taskset -pc 1-2 $p
try taskset -p 10 $p
try taskset 10 true
try taskset 0 true
try taskset f0 true
try taskset -p 4194000
try asuser taskset -p $p
try asuser taskset -p 1 $p
try taskset -p $p
try asuser taskset 2 grep Cpus_allowed_list /proc/self/status
try /debian/taskset -p $p
try /debian/taskset -pc 3 $p
try /debian/taskset -ap f $p
try /debian/taskset 10 true
try /debian/taskset -p 4194000
echo "== chrt"
try /debian/chrt -m
try /debian/chrt -p $p
for args in "-f 10" "-r 99" "-b 0" "-i 0" "-o 0" "-R -f 5" "-R -r 7" "-d -T 1000000 -D 10000000 -P 20000000 0"; do
  try /debian/chrt $args sh -c '/debian/chrt -p $$'
done
try /debian/chrt -f 100 true
try /debian/chrt -f 0 true
try /debian/chrt -o 1 true
try /debian/chrt -d -T 20000000 -D 10000000 -P 20000000 0 true
try /debian/chrt -d -T 1000 -D 10000000 -P 20000000 0 true
try /debian/chrt -d -T 990000000 -P 1000000000 0 true
try taskset 1 /debian/chrt -d -T 1000000 -D 10000000 -P 20000000 0 true
for i in 1 2 3 4; do
  try /debian/chrt -d -T 960000000 -P 1000000000 0 sleep 5 &
  usleep 200000
done
killall sleep
wait
sleep 1000 &
p=$!
usleep 300000
try /debian/chrt -p -f 20 $p
try /debian/chrt -p $p
grep ^policy /proc/$p/sched
cut -d' ' -f18,19,40,41 /proc/$p/stat
try /debian/chrt -p -r 30 $p
try /debian/chrt -p $p
try /debian/chrt -p -o 0 $p
try /debian/chrt -p 4194000
try /debian/chrt -f 1 sh -c 'cut -d" " -f18,19,40,41 /proc/self/stat; true'
try /debian/chrt -R -f 1 sh -c 'cut -d" " -f18,19,40,41 /proc/self/stat; true'
try /debian/nice -n -5 /debian/chrt -R -o 0 sh -c 'cut -d" " -f18,19,40,41 /proc/self/stat; true'
echo "== chrt of an ordinary user"
try asuser /debian/chrt -p $p
try asuser /debian/chrt -f 1 true
try asuser /debian/chrt -b 0 true
try asuser /debian/chrt -i 0 sh -c '/debian/chrt -o 0 true'
try asuser /debian/chrt -d -T 1000000 -D 10000000 -P 20000000 0 true
try asuser /debian/chrt -p -b 0 $p
(ulimit -r 10; try asuser /debian/chrt -f 10 true; try asuser /debian/chrt -f 11 true; try asuser /debian/chrt -r 1 /debian/chrt -f 9 true)
echo "== nice"
try /debian/nice
try /debian/nice -n 5 /debian/nice
try /debian/nice /debian/nice
try /debian/nice -n 30 /debian/nice
try /debian/nice -n -30 /debian/nice
try /debian/nice -n 5 /debian/nice -n -3 /debian/nice
try /debian/nice -n 7 cut -d' ' -f18,19 /proc/self/stat
try asuser /debian/nice -n 3 /debian/nice
try asuser /debian/nice -n -3 /debian/nice
(ulimit -e 25; try asuser /debian/nice -n -5 /debian/nice; try asuser /debian/nice -n -6 /debian/nice)
echo "== renice"
nices() { cut -d' ' -f19 /proc/$p/stat; }
try renice 5 $p; nices
try renice -n 3 -p $p; nices
try renice -n -20 $p; nices
try renice 40 $p; nices
try renice -n -100 -p $p; nices
try renice 0 $p; nices
try renice 1 4194000
try renice 2 -u nobody
try asuser renice 3 $p; nices
try /debian/renice -n 4 -p $p; nices
try /debian/renice -n 1 -p 4194000
try asuser /debian/renice -n 6 -p $p; nices
/load user 1000 sleep 1000 &
q=$!
usleep 300000
nices() { cut -d' ' -f19 /proc/$q/stat; }
try asuser renice 6 $q; nices
try asuser renice 5 $q; nices
try /debian/renice -n 9 -u 1000; nices
try renice 0 $q; nices
(ulimit -e 18; exec /load user 1000 sleep 1000) &
q=$!
usleep 300000
try asuser renice 6 $q; nices
try asuser renice 2 $q; nices
try asuser renice 1 $q; nices
killall sleep
wait
echo "== four nice values on one CPU for 20 s"
/load hogs 1 20000 10 o0=6900 o5=2257 o10=741 o19=101
echo "== three equals, a batch's worth of idle"
/load hogs 2 4000 50 o0=3326 o0=3326 o0=3326 i0=10
echo "== FIFO is held to 95 % of a CPU"
/load hogs 3 6000 100 f50=9500 o0=500
echo "== and lets nobody else run before"
/load hogs 3 3000 100 f50=9500 f10=0 o19=500
echo "== round robin shares"
/load hogs 2 6000 200 r10=4750 r10=4750 o0=500
