# Everyday shell, run by busybox ash as a child of pid 1. Its output on a real Linux 6.1 is busybox_script.golden; ours must be the
# same byte for byte, so nothing here prints a pid, a time or a size that depends on the kernel.
echo "== pipelines"
seq 1 1000 | grep 7 | sed 's/7/x/' | sort -r | head -5
seq 1 100 | awk '{s+=$1} END {print s}'
printf 'b\na\nc\n' | sort | tr 'a-z' 'A-Z' | cat -n | sed 's/^ *//' | tail -2
yes | head -1000 | wc -l
echo "== here-documents"
cat <<END
two and two is $((2 + 2))
END
cat <<'END' | wc -c
no $expansion `here`
END
name=world; cat <<-END
	hello, $name
	END
echo "== substitution"
echo "$(echo nested $(echo deeper $(echo deepest)))"
x=$(seq 1 5 | tr '\n' ' '); echo "[$x]"
echo "${x%% *} ${#x} ${undefined:-default}"
echo "== background and wait"
for i in 1 2 3; do (sleep 0.0$i; exit $i) & eval p$i=$!; done
wait $p1; echo "first $?"; wait $p2; echo "second $?"; wait $p3; echo "third $?"
(sleep 0.1; echo late) & wait; echo "all done $?"
echo "== trap"
trap 'echo got USR1' USR1; kill -USR1 $$; trap - USR1
(trap 'echo leaving' EXIT; echo inside)
sh -c 'trap "echo term; exit 7" TERM; kill -TERM $$; sleep 1'; echo "status $?"
(trap '' INT; kill -INT $(sh -c 'echo $PPID'); echo survived)
echo "== a tree of 2,000 files"
mkdir tree; cd tree
for d in 0 1 2 3 4 5 6 7 8 9; do
  mkdir d$d
  for n in 0 1 2 3 4 5 6 7 8 9; do
    mkdir d$d/s$n
    for f in 0 1 2 3 4 5 6 7 8 9 a b c d e f g h i j; do echo "$d$n$f" > d$d/s$n/file$f.txt; done
  done
done
set -- */*/*.txt; echo "$# files by glob, first $1, last is ${2000}"
echo d[3-5]/s?/file[ab].txt | wc -w
ls | tr '\n' ' '; echo
find . -type f | wc -l
find . -name 'filea.txt' | sort | head -3
find . -type f -name '*5.txt' | xargs cat | sort -n | md5sum
find . -name 'file9*' -print0 | xargs -0 -n 10 echo | wc -l
grep -rl 55a . | sort
find . -type d | sort | tail -3
cat d1/s2/* | tr -d '\n' | cut -c1-30
cd ..
echo "== tar and gzip"
tar cf tree.tar tree; tar tf tree.tar | wc -l
gzip -c tree.tar > tree.tar.gz; gunzip -c tree.tar.gz | cmp - tree.tar && echo same
mkdir copy; tar xzf tree.tar.gz -C copy; diff -r tree copy/tree && echo "no difference"
rm -rf copy; ls
echo "== text tools"
printf '3 c\n1 a\n2 b\n' | sort -n | awk '{print $2 $1}' | paste -s -d,
seq 20 | sed -n '5,7p;10q'
printf 'one two\nthree four\n' | sed -E 's/(\w+) (\w+)/\2 \1/'
awk 'BEGIN { for (i = 0; i < 5; i++) a[i] = i * i; for (i = 4; i >= 0; i--) printf "%d ", a[i]; print "" }'
echo a:b:c | cut -d: -f2; echo "  trim  " | xargs echo
seq 1 10 | uniq | tail -n +8; printf 'x\nx\ny\n' | uniq -c | sed 's/^ *//'
expr 6 '*' 7; printf '%05d|%-5s|%x\n' 42 ab 255; basename /a/b/c.txt .txt; dirname /a/b/c
echo "== dd and md5sum"
dd if=/dev/zero of=zeros bs=64k count=128 2>/dev/null; ls -l zeros | awk '{print $5}'; md5sum zeros
seq 1 1200000 > numbers; dd if=numbers of=part bs=1000 skip=100 count=8 2>/dev/null; md5sum part numbers
head -c 8388608 numbers > eight; tail -c 1000 eight | sha256sum; wc -c < eight
dd if=/dev/full bs=1 count=3 2>/dev/null | od -An -tx1; echo x > /dev/full; echo "full $?"
echo "== processes"
ps > listing; awk 'NR == 1 { print $1, $NF } / sh \/script$/ { print "the script" }' listing; rm listing
top -bn1 | awk '/^Mem:/ { print "mem" } /^CPU:/ { print "cpu" } /^Load/ { print "load" }'
# The shell says how a job ended only if it has not yet reaped it when it comes to wait.
{ sleep 100 & kill $!; wait $!; } 2>/dev/null; echo "terminated $?"
{ sleep 100 & kill -9 $!; wait $!; } 2>/dev/null; echo "killed $?"
{ sleep 100 & kill -STOP $!; kill -CONT $!; kill -HUP $!; wait $!; } 2>/dev/null; echo "hung up $?"
sh -c 'kill -SEGV $$'; echo "segv $?"
sh -c 'kill -PIPE $$'; echo "pipe $?"
timeout 0.1 sleep 5; echo "timeout $?"; timeout -s KILL 0.1 sleep 5; echo "timeout kill $?"; timeout 5 true; echo "in time $?"
false; echo $?; (exit 42); echo $?; nosuchcommand 2>/dev/null; echo $?; /tmp 2>/dev/null; echo $?
cat /proc/self/comm; readlink /proc/self/exe; tr '\0' ' ' < /proc/self/cmdline; echo
grep -c . /proc/mounts > /dev/null && echo "mounts"; cut -d' ' -f1,4 /proc/self/stat | wc -w
awk '/^(Name|State|Threads|Uid)/ { print $1, $2 }' /proc/self/status
echo "== subshells 200 deep in sequence"
nest() { if [ $1 -gt 0 ]; then (nest $(($1 - 1))); else echo bottom; fi; }
nest 200
echo "== 1,000 forks"
i=0; while [ $i -lt 1000 ]; do (exit 0) || echo bad; i=$((i + 1)); done; echo "$i forks"
echo "== exec"
sh -c 'exec echo replaced'; (exec 3>&1; echo "to three" >&3; exec 3>&-; echo gone >&3) 2>/dev/null; echo "closed $?"
printf '#!/bin/sh\necho "script $0 $# $1"\n' > s.sh; chmod +x s.sh; ./s.sh 'a b' c; chmod -x s.sh; ./s.sh 2>/dev/null; echo "not executable $?"
printf 'garbage' > g; chmod +x g; ./g 2>/dev/null; echo "garbage $?"
env -i A=1 sh -c 'echo "$A ${HOME-none}"'; cd /; pwd; cd /tmp; (cd tree/d1 && pwd -P)
echo "== files"
ln -s tree/d1/s1 link; ls link | wc -l; readlink link; ln zeros hard; stat -c '%h %F %a' zeros link; rm hard link
mkfifo fifo; (echo through > fifo &) ; cat fifo; rm fifo
umask 077; touch private; stat -c %a private; umask 022; chmod 640 private; stat -c '%a %U' private; mv private moved; ls moved
echo 12345 > t; truncate -s 3 t; cat t; echo; echo more >> t; cat t; [ -s t ] && test -f t -a -r t && echo tests
mkdir -p a/b/c && rmdir a/b/c a/b a && echo "directories"; rmdir tree 2>/dev/null; echo "not empty $?"; cat nosuch 2>&1
read first rest < /proc/version; echo $first; set -- *; echo "$*"
echo "== the end"
