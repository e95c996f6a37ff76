# Shared by the scripts: sourced, never run. Leaves the shell in the repository root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${MUONLAB_DEPS_DIR:=$PWD/.deps}"
export MUONLAB_DEPS_DIR

say() { printf '%s\n' "$*"; }
fail() {
  printf 'error: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
  exit 1
}

# Compile jobs: one a core, and 1.5 GB of memory each (a source on the LibTorch headers needs up to 0.9).
parallel_jobs() {
  local cores memory_kb limit
  cores=$(nproc)
  memory_kb=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
  limit=$((memory_kb / 1572864))
  [ "$limit" -ge 1 ] || limit=1
  echo $((cores < limit ? cores : limit))
}

minutes() { printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); }
