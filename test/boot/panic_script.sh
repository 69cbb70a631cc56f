echo "== panic"
echo PANIC > /proc/cleanfork/provoke-crash
echo "still here"
