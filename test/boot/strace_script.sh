# strace as Debian has it, on a shell's pipeline, on threads, on what runs already. What depends on chance is made alike: numbers of
# processes by their order, addresses, random bytes; which child is reaped first is not shown.
alike() { # PREFIX of the files of strace -ff
  program='s/0x[0-9a-f]{5,}/ADDRESS/g; s/ += / = /; s/[0-9]+ vars/VARS/; s/parent_tid=.[0-9]+/parent_tid=[P/; /^getrandom|^wait4|^rt_sigreturn|SIGCHLD/d'
  n=0
  for f in $(ls $1.* | sort -t. -k2n); do
    n=$((n + 1))
    program="$program; /clone|fork|tid|getpid/s/= ${f##*.}$/= P$n/"
  done
  for f in $(ls $1.* | sort -t. -k2n); do
    echo "-- a process"
    sed -E "$program; s/^(getppid\(\) = )[0-9]+/\1PARENT/" $f
  done
}
echo "== a pipeline"
strace -ff -o a sh -c 'true | cat'
alike a
echo "== counts"
strace -f -c -S name -U calls,errors,name -o counts sh -c 'true | cat'
grep -vE 'wait4|rt_sigreturn|total|^---' counts
echo "== threads"
strace -ff -o b -e trace='!futex,mmap,munmap,mprotect' /traced threads
alike b
echo "== a signal"
strace -o c.1 -e trace=rt_sigaction,rt_sigreturn,tkill,tgkill,exit_group /traced signal
echo "status $?"
sed -E 's/0x[0-9a-f]{5,}/ADDRESS/g; s/ += / = /; s/(kill\(|si_pid=)[0-9]+/\1P/; s/kill\(P, [0-9]+/kill(P, P/' c.1
echo "== fork"
strace -ff -o d -e trace=process /traced fork
alike d
echo "== calls tampered with"
strace -o e.1 -e trace=getppid,exit_group -e inject=getppid:retval=42 /traced ppid
echo "status $?"
cat e.1
strace -o e.1 -e trace=getppid,exit_group -e inject=getppid:error=EXDEV /traced ppid
echo "status $?"
cat e.1
strace -o e.1 -e trace=getppid,exit_group -e inject=getppid:signal=USR1 /traced ppid
echo "status $?"
sed -E 's/^(getppid\(\) *= )[0-9]+/\1N/; s/si_pid=[0-9]+/si_pid=P/' e.1
echo "== attached"
/traced sleep &
p=$!
sleep 1
strace -p $p -o f.1 2>f.2 &
s=$!
until grep -q TracerPid:.$s /proc/$p/status; do sleep 0.1; done
sleep 1
grep -c TracerPid:.$s /proc/$p/status
kill -INT $s
wait $s
sed -E 's/[0-9]+/N/' f.2
grep TracerPid /proc/$p/status
sed -n 2p f.1 | sed -E 's/0x[0-9a-f]+/ADDRESS/'
kill $p
wait $p 2>/dev/null
echo "status $?"
echo "== stopped and continued"
strace -o g.1 -e trace=none /traced sleep &
s=$!
until p=$(pidof traced); do sleep 0.1; done
sleep 1
kill -STOP $p
sleep 1
grep State /proc/$p/status
kill -CONT $p
sleep 1
kill $p
wait $s 2>/dev/null
echo "status $?"
sed -E 's/si_pid=[0-9]+/si_pid=P/' g.1
echo "== its own end"
strace -o h.1 /traced sleep &
s=$!
until p=$(pidof traced); do sleep 0.1; done
sleep 1
kill -KILL $s
wait $s 2>/dev/null
sleep 1
grep TracerPid /proc/$p/status
kill $p
