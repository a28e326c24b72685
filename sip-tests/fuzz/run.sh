#!/usr/bin/env bash
# Fuzzes every target for some seconds (10 by default): run.sh [seconds] [target ...]
# Our code is built with coverage counters by the stable compiler (counted.sh). Inputs found are kept under target/fuzz/corpus;
# one that fails is left in target/fuzz/failures, and its name printed.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:-10}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(datagram stream sdp rtp rtcp srtp stun audio wav sealed proof apply)

work=$(cd ../.. && pwd)/target/fuzz
mkdir -p "$work/failures"
RUSTC_WRAPPER=$PWD/counted.sh cargo build --quiet --release --target-dir "$work"
bin="$work/release"

"$bin/seeds" "$work/corpus"
failed=0
for target in "${targets[@]}"; do
    echo "== fuzz $target, $seconds s"
    "$bin/$target" "$work/corpus/$target" -max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="$work/failures/$target-" -print_final_stats=1 -verbosity=0 >"$work/$target.log" 2>&1 ||
        { failed=$((failed + 1)); tail -n 40 "$work/$target.log"; }
    grep -E 'number_of_executed_units|new_units_added' "$work/$target.log" | sed 's/stat:://' | tr -s ' :\n' ' '
    echo
done
passed=$((${#targets[@]} - failed))
echo "fuzz: $passed clean, $failed failed"
[ "$failed" -eq 0 ]
