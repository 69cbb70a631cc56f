# Wild pointers in the kernel: each takes the task that met it, with a report on the console, and the shell goes on.
echo "== crashes"
for how in EXCEPTION WILD_POINTER WRITE_RO EXEC_DATA BUG; do
  (echo $how > /proc/cleanfork/provoke-crash) 2>/dev/null; echo "$how $?"
done
echo nonsense > /proc/cleanfork/provoke-crash; echo "nonsense $?"
seq 3 | tr '\n' ' '; echo "and on it goes"
