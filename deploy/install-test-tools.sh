#!/usr/bin/env bash
# Installs what the tests run beside the server, from Debian or Ubuntu. Does nothing when all
# is there. `--list` only says what is missing.
set -euo pipefail

# command : package that brings it
tools=(
    cc:build-essential      # the C parts of SQLite and AWS-LC
    sipp:sip-tester         # crowds of callers, scripted dialogs
    baresip:baresip-core    # a SIP phone that talks
    tshark:tshark           # the judge of what was on the wire
    flite:flite             # English speech
    espeak-ng:espeak-ng     # speech in other languages
    sox:sox                 # audio files
    sqlite3:sqlite3         # a look into the database
)

missing=()
for tool in "${tools[@]}"; do
    command -v "${tool%%:*}" >/dev/null || missing+=("${tool##*:}")
done
if [ ${#missing[@]} -eq 0 ]; then
    echo "test tools: all there"
    exit 0
fi
echo "test tools: missing ${missing[*]}"
[ "${1:-}" != "--list" ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "run as root: apt-get install ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
fi
command -v apt-get >/dev/null || { echo "no apt-get here: install ${missing[*]} by your system's means" >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive
echo "test tools: apt-get install ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
