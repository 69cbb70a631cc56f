# hackbench as Debian has it, on four CPUs: groups of senders and receivers, each sender writes to each receiver of its group.
try() {
  echo "\$ $*"
  "$@" >out 2>&1
  echo "status $?"
  sed 's/^Time: [0-9.]*$/Time: T/' out
  echo "<1>$* $(grep Time: out)" >/dev/kmsg  # to be read, not compared
}
echo "== pipes"
try hackbench -p -P -g 3 -f 5 -l 100 -s 100
try hackbench -p -T -g 3 -f 5 -l 100 -s 100
echo "== sockets"
try hackbench -P -g 3 -f 5 -l 100 -s 100
try hackbench -T -g 3 -f 5 -l 100 -s 100
echo "== larger than a pipe takes at once"
try hackbench -p -T -g 1 -f 4 -l 100 -s 5000
echo "== many"
try hackbench -p -P -g 10 -f 20 -l 20
try hackbench -p -T -g 10 -f 20 -l 20
echo "== fifo main"
try hackbench -F -p -T -g 2 -f 4 -l 50 -s 100
echo "== two at once, on two CPUs and on all"
taskset c hackbench -p -T -g 2 -f 4 -l 100 >/dev/null &
hackbench -p -P -g 2 -f 4 -l 100 >/dev/null
wait
echo "status $?"
