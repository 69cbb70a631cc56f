echo "== tracer"
/tracer
