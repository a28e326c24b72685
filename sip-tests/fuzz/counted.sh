#!/usr/bin/env bash
# Stands before rustc: our own code gets coverage counters for libFuzzer, everybody else's is built as always.
rustc=$1
shift
case " $* " in
*" --crate-name build_script_"*) exec "$rustc" "$@" ;;
esac
case "${CARGO_PKG_NAME:-}" in
sayso | sayso-fuzz | sipx-sip)
    exec "$rustc" "$@" --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    ;;
*) exec "$rustc" "$@" ;;
esac
