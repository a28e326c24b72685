#!/usr/bin/env bash
# install-tools.sh build|test [--list]
# Installs what the build needs, or all that the tests run beside the server, from Debian or Ubuntu. Does
# nothing when all is there. `--list` only says what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

# command : package that brings it
build=(
    cc:build-essential      # the C parts of SQLite, AWS-LC and Opus
    cmake:cmake             # builds Opus
    node:nodejs             # builds the pages
    npm:npm
)
tests=(
    sipp:sip-tester         # crowds of callers, scripted dialogs
    baresip:baresip-core    # a SIP phone that talks
    tshark:tshark           # the judge of what was on the wire
    flite:flite             # English speech
    espeak-ng:espeak-ng     # speech in other languages
    sox:sox                 # audio files
    sqlite3:sqlite3         # a look into the database
    python3:python3         # runs PESQ, the judge of how speech sounds
    python3-config:python3-dev
    chromium:chromium       # the agents' browser
    turnserver:coturn       # the relay for browsers that UDP is closed to
    valgrind:valgrind       # counts instructions of hot paths
)
case "${1:-}" in
build) tools=("${build[@]}") ;;
test) tools=("${build[@]}" "${tests[@]}") ;;
*) echo "usage: install-tools.sh build|test [--list]" >&2; exit 2 ;;
esac
what=$1
list=${2:-}

missing=()
for tool in "${tools[@]}"; do
    command -v "${tool%%:*}" >/dev/null || missing+=("${tool##*:}")
done
# Debian has Python without what makes environments.
if [ "$what" = test ] && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then missing+=(python3-venv); fi
# Debian keeps PostgreSQL's programs apart by version. The tests start servers of their own.
if [ "$what" = test ] && ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
    missing+=(postgresql)
fi

# The pages need Node 18 or newer. Older systems have an older one: nothing apt could put right.
node_new_enough() {
    node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 18 ? 1 : 0)' && return
    echo "$what tools: Node $(node --version) is too old, 18 or newer is needed: see nodejs.org" >&2
    return 1
}

# PESQ in an environment of its own, made once for each state of its requirements.
pesq=target/tools/pesq
pesq_state=$(cat deploy/pesq/build.txt deploy/pesq/requirements.txt)
pesq_there() {
    [ "$what" = build ] && return
    [ "$(cat "$pesq/state" 2>/dev/null)" = "$pesq_state" ] && "$pesq/bin/python" -c 'import pesq' 2>/dev/null
}
make_pesq() {
    echo "$what tools: PESQ into $pesq"
    rm -rf "$pesq"
    python3 -m venv "$pesq"
    "$pesq/bin/pip" install --quiet --disable-pip-version-check -r deploy/pesq/build.txt
    "$pesq/bin/pip" install --quiet --disable-pip-version-check --no-build-isolation --use-pep517 \
        -r deploy/pesq/requirements.txt
    echo "$pesq_state" > "$pesq/state"
}

# An S3 server that checks signatures and checksums. Built once, its build directory goes; one version is as good for
# all tests, so a newer one is a change here.
s3s=target/tools/s3
s3s_version=0.14.1
s3s_there() {
    [ "$what" = build ] || "$s3s/bin/s3s-fs" --version 2>/dev/null | grep -qF "$s3s_version"
}
make_s3s() {
    echo "$what tools: s3s-fs into $s3s (a few minutes, once)"
    cargo install --quiet --locked "s3s-fs@$s3s_version" --features binary --root "$s3s" --target-dir "$s3s/build"
    rm -rf "$s3s/build"
}

# Python programs, each in an environment of its own, made once for each state of its requirements: moto (an S3 and KMS
# server that has versions, delete markers and Object Lock), schemathesis (walks the REST API by its document).
pythons=(moto:moto_server schemathesis:schemathesis)
python_there() {
    local home=target/tools/${1%%:*}
    [ "$what" = build ] || { [ "$(cat "$home/state" 2>/dev/null)" = "$(cat "deploy/${1%%:*}/requirements.txt")" ] &&
        [ -x "$home/bin/${1##*:}" ]; }
}
make_python() {
    local name=${1%%:*} home=target/tools/${1%%:*}
    echo "$what tools: $name into $home"
    rm -rf "$home"
    python3 -m venv "$home"
    "$home/bin/pip" install --quiet --disable-pip-version-check -r "deploy/$name/requirements.txt"
    cat "deploy/$name/requirements.txt" > "$home/state"
}

# What drives Chromium, and a provider to sign on with; installed once for each state of their lock files.
nodes=(sip-tests/browser sip-tests/oidc)
node_there() {
    [ "$what" = build ] || cmp -s "$1/package-lock.json" "$1/node_modules/.state"
}
make_node() {
    echo "$what tools: packages into $1/node_modules"
    (cd "$1" && npm ci --silent --no-audit --no-fund)
    cp "$1/package-lock.json" "$1/node_modules/.state"
}

if [ ${#missing[@]} -eq 0 ]; then
    node_new_enough
    all=yes
    pesq_there || { all=no; [ "$list" != "--list" ] || echo "$what tools: missing PESQ"; }
    s3s_there || { all=no; [ "$list" != "--list" ] || echo "$what tools: missing s3s-fs"; }
    for one in "${pythons[@]}"; do
        python_there "$one" || { all=no; [ "$list" != "--list" ] || echo "$what tools: missing ${one%%:*}"; }
    done
    for one in "${nodes[@]}"; do
        node_there "$one" || { all=no; [ "$list" != "--list" ] || echo "$what tools: missing $one/node_modules"; }
    done
    if [ "$all" = yes ]; then
        [ "$what" = build ] || echo "$what tools: all there"
    elif [ "$list" != "--list" ]; then
        pesq_there || make_pesq
        s3s_there || make_s3s
        for one in "${pythons[@]}"; do python_there "$one" || make_python "$one"; done
        for one in "${nodes[@]}"; do node_there "$one" || make_node "$one"; done
    fi
    exit 0
fi
echo "$what tools: missing ${missing[*]}"
[ "$list" != "--list" ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "run as root: apt-get install ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
fi
command -v apt-get >/dev/null || { echo "no apt-get here: install ${missing[*]} by your system's means" >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive
echo "$what tools: apt-get install ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
# The package starts one for the whole machine; the tests start their own.
if [[ " ${missing[*]} " == *" coturn "* ]] && command -v systemctl >/dev/null; then
    "${as_root[@]}" systemctl disable --quiet --now coturn 2>/dev/null || true
fi
# The rest, now that what it needs is there.
exec deploy/install-tools.sh "$what"
