#!/bin/sh
# The tests, the slow ones left out, in two runs side by side that take about as long: those on the Ray cluster, which
# often wait for it, with the statistical ones, those against the reference and those of compiling, and all others. With
# arguments: one run of pytest with these.
set -eu
cd "$(dirname "$0")/.."
pytest=.venv/bin/pytest
if [ $# -gt 0 ]; then exec "$pytest" -m "not slow" "$@"; fi

mkdir -p .cache
log=.cache/test-on-ray.log
beside="ray or statistical or reference or compiling"
"$pytest" -m "($beside) and not slow" >"$log" 2>&1 &
on_ray=$!
trap 'kill -INT "$on_ray" 2>/dev/null || true; wait "$on_ray" || true' INT TERM
others=0
"$pytest" -m "not ($beside) and not slow" || others=$?
printf '\n=== the tests on the Ray cluster, the statistical ones, those against the reference, and those of compiling\n'
status=0
wait "$on_ray" || status=$?
cat "$log"
[ "$others" -eq 0 ] && [ "$status" -eq 0 ]
