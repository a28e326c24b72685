#!/usr/bin/env bash
# All checks and tests in one profile. Its last line is `N passed, M failed` over all test binaries; a check
# that fails (format, lints, documentation, build) counts as one failed test.
set -uo pipefail
cd "$(dirname "$0")/.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0

check() {
    echo "== $*"
    "$@" || { failed=$((failed + 1)); echo "FAILED: $*"; }
}

check cargo fmt --check
check cargo clippy --quiet --release --all-targets -- -D warnings
RUSTDOCFLAGS="-D warnings" check cargo doc --quiet --release --no-deps

# A test with a speaking client needs a core of its own; the load tests take the machine alone.
export RUST_TEST_THREADS="${RUST_TEST_THREADS:-3}"
echo "== cargo test"
cargo test --release --no-fail-fast 2>&1 | tee "$log"
if [ "${PIPESTATUS[0]}" -ne 0 ] && ! grep -q '^test result: FAILED' "$log"; then
    failed=$((failed + 1))
    echo "FAILED: cargo test"
fi

# test result: ok. 12 passed; 0 failed; 0 ignored; ...
sums=$(awk '/^test result:/ { for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) p += $(i-1); if ($i ~ /^failed/) f += $(i-1) } }
    END { print p + 0, f + 0 }' "$log")
passed=${sums% *}
failed=$((failed + ${sums#* }))

# Real clients and media threads share two cores with each other, and real time waits for nobody: a test that fails is run
# once more, alone. It counts as it ends then, and is named. More than five are no accident.
again=$(awk '/^ *(Running|Doc-tests) / { of = /sip-tests/ ? "e2e" : /src\/lib\.rs/ ? "lib" : "" }
    of != "" && /^test .* FAILED$/ { print of, $2 }' "$log")
if [ -n "$again" ] && [ "$(wc -l <<<"$again")" -le 5 ]; then
    for of in "--lib" "--test e2e"; do
        names=$(awk -v of="${of##*[- ]}" '$1 == of { print $2 }' <<<"$again")
        [ -n "$names" ] || continue
        echo "== once more, alone:" $names
        # shellcheck disable=SC2086 # names and options without blanks
        cargo test --release $of -- --exact --test-threads 1 $names 2>&1 | tee "$log"
        good=$(grep -c '^test .* ok$' "$log")
        echo "passed when run alone: $good"
        passed=$((passed + good))
        failed=$((failed - good))
    done
fi

# The pages' types and their unit tests.
echo "== pages"
NO_COLOR=1 make --no-print-directory web-check 2>&1 | tee "$log"
checked=${PIPESTATUS[0]}
pages=$(sed -n 's/^ *Tests .*[^0-9]\([0-9][0-9]*\) passed.*/\1/p' "$log")
passed=$((passed + ${pages:-0}))
if [ "$checked" -ne 0 ] || [ -z "$pages" ]; then
    failed=$((failed + 1))
    echo "FAILED: the pages"
fi

# Every fuzz target for a few seconds; each counts as a test.
echo "== fuzz"
sip-tests/fuzz/run.sh "${FUZZ_SECONDS:-10}" 2>&1 | tee "$log"
if clean=$(sed -n 's/^fuzz: \([0-9]*\) clean, \([0-9]*\) failed$/\1 \2/p' "$log") && [ -n "$clean" ]; then
    passed=$((passed + ${clean% *}))
    failed=$((failed + ${clean#* }))
else
    failed=$((failed + 1))
    echo "FAILED: the fuzz targets cannot be built"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
