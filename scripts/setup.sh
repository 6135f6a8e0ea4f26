#!/bin/sh
# Makes .venv hold exactly what the lock says, with nothing there but Python >= 3.11 and a package index.
#   setup.sh run    what runs            setup.sh dev    that and the tools of development
#   setup.sh lock [ARGUMENT...]          resolves the lock itself
#   setup.sh uv ARGUMENT...              any other command of uv, from the same index with the same certificates
# A stamp in .venv says what was synced: nothing is done again until a requirement file changes.
set -eu
cd "$(dirname "$0")/.."
uv_version=0.13.9
uv=.venv/uv/bin/uv
stamp=.venv/.synced
export PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '%s\n' "$*" >&2; }
die() {
  say "$@"
  exit 1
}

suits() { # INTERPRETER: is it a Python this project runs on?
  "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null
}

find_python() { # sets $python
  if [ -n "${PYTHON:-}" ]; then
    suits "$PYTHON" || die "PYTHON=$PYTHON is no Python from 3.11 to 3.14."
    python=$PYTHON
    return
  fi
  for python in python3 python3.12 python3.11 python3.13 python3.14 python; do
    if suits "$python"; then return; fi
  done
  die "No Python from 3.11 to 3.14 found. Install one, or name it: make ... PYTHON=/path/to/python3"
}

version_of() { "$1" -c 'import sys; print(sys.version_info[:2])' 2>/dev/null || true; }

make_venv() {
  if [ -x .venv/bin/python ] && suits .venv/bin/python; then
    if [ -z "${PYTHON:-}" ] || [ "$(version_of "$PYTHON")" = "$(version_of .venv/bin/python)" ]; then return; fi
  fi
  find_python
  say "set-up: .venv with $("$python" --version)"
  "$python" -m venv --clear --without-pip .venv ||
    die "This Python cannot make virtual environments. On Debian or Ubuntu: apt-get install python3-venv"
}

# uv lives in a nested environment of its own, so that syncing .venv does not remove it.
get_uv() {
  if [ -x "$uv" ] && [ "$("$uv" --version | cut -d ' ' -f 2)" = "$uv_version" ]; then return; fi
  find_python
  say "set-up: uv $uv_version"
  rm -rf .venv/uv
  if "$python" -c 'import ensurepip' 2>/dev/null && "$python" -m venv .venv/uv; then
    .venv/uv/bin/python -m pip install --quiet "uv==$uv_version"
  elif "$python" -m pip --version >/dev/null 2>&1; then
    "$python" -m pip install --quiet --target .venv/uv "uv==$uv_version"
  else
    die "This Python has neither ensurepip nor pip. On Debian or Ubuntu: apt-get install python3-venv"
  fi
}

pip_setting() { # NAME: its value in pip's configuration files
  { .venv/uv/bin/python -m pip config list 2>/dev/null || true; } |
    sed -n "s/^[a-z]*\.$1='\(.*\)'\$/\1/p" | tail -n 1
}

# uv reads none of pip's settings: hand on those that say where packages come from.
use_pip_settings() {
  index=${PIP_INDEX_URL:-$(pip_setting index-url)}
  extra=${PIP_EXTRA_INDEX_URL:-$(pip_setting extra-index-url)}
  certificates=${PIP_CERT:-$(pip_setting cert)}
  if [ -n "$index" ] && [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then export UV_DEFAULT_INDEX="$index"; fi
  if [ -n "$extra" ] && [ -z "${UV_INDEX:-}${UV_EXTRA_INDEX_URL:-}" ]; then export UV_INDEX="$extra"; fi
  if [ -n "$certificates" ] && [ -z "${SSL_CERT_FILE:-}" ]; then export SSL_CERT_FILE="$certificates"; fi
  if [ -n "${PIP_TRUSTED_HOST:-}" ]; then export UV_INSECURE_HOST="${UV_INSECURE_HOST:-$PIP_TRUSTED_HOST}"; fi
  if [ -n "${PIP_DEFAULT_TIMEOUT:-}" ]; then export UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-$PIP_DEFAULT_TIMEOUT}"; fi
  if [ ! -w "${HOME:-/nonexistent}" ]; then export UV_CACHE_DIR="${UV_CACHE_DIR:-$PWD/.venv/uv/cache}"; fi
  export UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV="$PWD/.venv"
}

fingerprint() { # KIND: what the stamp says once this kind is synced
  printf '%s %s %s\n' "$1" "$(cat "requirements/$1.txt" pyproject.toml | cksum)" "$PWD"
}

sync() { # KIND
  make_venv
  get_uv
  use_pip_settings
  say "set-up: $(grep -c == "requirements/$1.txt") packages of requirements/$1.txt (the first time this takes a few minutes)"
  rm -f "$stamp"
  "$uv" pip sync --quiet --require-hashes "requirements/$1.txt"
  "$uv" pip install --quiet --no-deps --no-build-isolation --editable .
  fingerprint "$1" >"$stamp"
}

synced() { # KIND
  [ -x .venv/bin/python ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(fingerprint "$1")" ] &&
    { [ -z "${PYTHON:-}" ] || [ "$(version_of "$PYTHON")" = "$(version_of .venv/bin/python)" ]; }
}

kind=$1
shift
case $kind in
  run) # the tools of development hold all that runs: once they are there, they stay
    if [ -f "$stamp" ] && [ "$(cut -d ' ' -f 1 "$stamp")" = dev ]; then kind=dev; fi
    synced "$kind" || sync "$kind"
    ;;
  dev) synced dev || sync dev ;;
  lock)
    make_venv
    get_uv
    use_pip_settings
    UV=$uv PYTHON=.venv/bin/python exec bash scripts/lock.sh "$@"
    ;;
  uv)
    get_uv
    use_pip_settings
    exec "$uv" "$@"
    ;;
  *) die "usage: setup.sh run | dev | lock [ARGUMENT...] | uv ARGUMENT..." ;;
esac
