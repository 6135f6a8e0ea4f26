#!/bin/sh
# The tests, the slow ones left out, in three runs side by side that take about as long: those on the Ray cluster, which
# often wait for it; most of the engine's units; and all others. With arguments: one run of pytest with these.
set -eu
cd "$(dirname "$0")/.."
pytest=.venv/bin/pytest
if [ $# -gt 0 ]; then exec "$pytest" -m "not slow" "$@"; fi

units="engine and not (reference or compiling)"
mkdir -p .cache
"$pytest" -m "ray and not slow" >.cache/test-on-ray.log 2>&1 &
on_ray=$!
"$pytest" -m "$units and not slow" >.cache/test-of-units.log 2>&1 &
of_units=$!
trap 'kill -INT "$on_ray" "$of_units" 2>/dev/null || true; wait || true' INT TERM

status=0
"$pytest" -m "not ray and not ($units) and not slow" || status=1
wait "$of_units" || status=1
printf '\n=== the units of the engine\n'
cat .cache/test-of-units.log
wait "$on_ray" || status=1
printf '\n=== on the Ray cluster\n'
cat .cache/test-on-ray.log
exit "$status"
