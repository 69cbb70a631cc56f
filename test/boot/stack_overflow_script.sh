echo "== stack overflow"
echo EXHAUST_STACK > /proc/cleanfork/provoke-crash
echo "still here"
