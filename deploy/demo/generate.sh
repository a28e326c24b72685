#!/bin/sh
# Speaks the demo's two sides (needs flite and sox); 8 kHz, 16 bit, mono.
set -eu
cd "$(dirname "$0")"
speak() {
    flite -voice "$1" -t "$3" -o "$2.wav"
    sox "$2.wav" -r 8000 -c 1 -b 16 "$2.8k.wav" highpass 200 norm -3
    rm "$2.wav"
}
speak rms caller "Hello. I am calling about the invoice you sent me last week. I think the amount \
is not right, and I would like somebody to look into it with me."
speak slt agent "Good morning, this is Ada from support. Thank you for waiting. Let me open your \
account. Yes, I can see the invoice here, and I will correct it for you right away."
