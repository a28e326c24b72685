#!/bin/sh
# Makes every WAV file of this folder from the texts beside them: speech by flite (English) and
# espeak-ng (others), music by music.py; `sayso prompts import` resamples, trims and levels.
#
#   apt-get install flite espeak-ng sox python3     (Debian)
#   cargo build && prompts/generate.sh [LANGUAGE…]
#
# Without languages: all, and the music. SAYSO names another binary than target/debug/sayso.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
sayso=${SAYSO:-$here/../target/debug/sayso}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# LANGUAGE TEXT-FILE OUT.wav
speak() {
    case $1 in
        en) flite -voice slt -f "$2" -o "$3" ;;
        de) espeak-ng -v de -s 172 -p 40 -f "$2" -w "$3" ;;
        fr) espeak-ng -v fr-fr -s 172 -p 40 -f "$2" -w "$3" ;;
        es) espeak-ng -v es -s 172 -p 40 -f "$2" -w "$3" ;;
        fi) espeak-ng -v fi -s 180 -p 40 -f "$2" -w "$3" ;;
        *) echo "generate.sh: no voice for language $1" >&2; exit 1 ;;
    esac
}

for language in ${*:-en de fr es fi}; do
    for text in "$here/$language"/*.txt; do
        name=$(basename "$text" .txt)
        speak "$language" "$text" "$work/raw.wav"
        # Telephones carry nothing below 200 Hz worth having. Float: no rounding, no dither.
        sox "$work/raw.wav" -e floating-point -b 32 "$work/high.wav" gain -6 highpass 200
        "$sayso" prompts import "$work/high.wav" --as "$name" --lang "$language" --into "$here/$language"
    done
done
if [ $# -eq 0 ]; then
    python3 "$here/music.py" "$work/music.wav"
    "$sayso" prompts import "$work/music.wav" --as music --into "$here"
fi
"$sayso" prompts check "$here"
