# Shared by the scripts: sourced, never run. Leaves the shell in the repository root.
set -euo pipefail
# Paths in the environment are the caller's, so they are made absolute before leaving his folder.
[ -z "${MUONLAB_DEPS_DIR:-}" ] || MUONLAB_DEPS_DIR=$(realpath -m -s -- "$MUONLAB_DEPS_DIR")
[ -z "${MUONLAB_TORCH_DIR:-}" ] || MUONLAB_TORCH_DIR=$(realpath -m -s -- "$MUONLAB_TORCH_DIR")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${MUONLAB_DEPS_DIR:=$PWD/.deps}" "${MUONLAB_TORCH_DIR:=}"
export MUONLAB_DEPS_DIR MUONLAB_TORCH_DIR

say() { printf '%s\n' "$*"; }
title() { printf '\n--- %s\n' "$*"; }
fail() {
  printf 'error: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
  exit 1
}

# The script's own comment, from its second line to the first line that is none.
usage() { sed -n '2,${/^#/!q;s/^# \{0,1\}//p}' "$1"; }

# Compile jobs: one a core, and 1.5 GB of memory each (a source on the LibTorch headers needs up to 0.9).
parallel_jobs() {
  local cores memory_kb limit
  cores=$(nproc)
  memory_kb=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
  limit=$((memory_kb / 1572864))
  [ "$limit" -ge 1 ] || limit=1
  echo $((cores < limit ? cores : limit))
}

# build PRESET TARGET CMAKE_OPTION…: configures build/PRESET with what scripts/setup found and builds TARGET.
build() {
  local preset=$1 target=$2 jobs
  shift 2
  jobs=$(parallel_jobs)
  cmake --preset "$preset" -DMUONLAB_DEPS_DIR="$MUONLAB_DEPS_DIR" -DMUONLAB_TORCH_DIR="$MUONLAB_TORCH_DIR" "$@"
  say "building with $jobs jobs"
  cmake --build "build/$preset" --parallel "$jobs" --target "$target"
}

minutes() { printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); }
