#!/usr/bin/env python3
"""Synthesises Sayso's hold music: 30 s of soft chords, a bass and a sparse melody, at 16 kHz.

Composed for Sayso. Standard library only, no randomness: the same bytes each time. Every note is
added to a ring, so what rings over the end is heard at the beginning and the loop has no seam.

usage: music.py OUT.wav
"""

import array
import math
import sys
import wave

RATE = 16_000
BEAT = 0.625  # seconds: 96 beats a minute
BARS = 12
LENGTH = int(RATE * BEAT * 4 * BARS)

# Partials as (multiple, strength, decay in seconds). Nothing reaches 3.4 kHz: a telephone carries it all.
PAD = [(1, 1.0, 3.5), (2, 0.35, 2.6), (3, 0.12, 1.8)]
BASS = [(1, 1.0, 1.8), (2, 0.55, 1.2), (3, 0.25, 0.8), (4, 0.10, 0.5)]
BELL = [(1, 1.0, 1.5), (2, 0.30, 0.9), (3, 0.10, 0.4)]

# One bar each: bass note and chord, as MIDI numbers, by small steps from one to the next.
CHORDS = [
    (43, (59, 62, 66, 71)),  # G maj7
    (40, (59, 62, 67, 71)),  # E min7
    (48, (60, 64, 67, 71)),  # C maj7
    (50, (57, 62, 66, 69)),  # D
    (43, (59, 62, 66, 69)),  # G maj9
    (47, (57, 62, 66, 71)),  # B min7
    (48, (59, 64, 67, 71)),  # C maj7
    (50, (60, 62, 67, 69)),  # D7 sus4
    (45, (60, 64, 67, 72)),  # A min7
    (47, (59, 62, 66, 71)),  # B min7
    (48, (60, 64, 69, 71)),  # C 6/9
    (50, (60, 62, 66, 69)),  # D7
]

# (bar, beat, MIDI number, beats)
MELODY = [
    (0, 0, 74, 2), (0, 2, 79, 1), (0, 3, 78, 1), (1, 0, 76, 3), (1, 3, 74, 1),
    (2, 0, 72, 1.5), (2, 1.5, 74, 0.5), (2, 2, 76, 2), (3, 0, 74, 3),
    (4, 0, 71, 2), (4, 2, 74, 1), (4, 3, 78, 1), (5, 0, 78, 2), (5, 2, 76, 1), (5, 3, 74, 1),
    (6, 0, 76, 3), (6, 3, 79, 1), (7, 0, 74, 3),
    (8, 0, 76, 1), (8, 1, 79, 1), (8, 2, 84, 2), (9, 0, 83, 1.5), (9, 1.5, 81, 0.5), (9, 2, 78, 2),
    (10, 0, 79, 1), (10, 1, 76, 1), (10, 2, 74, 2), (11, 0, 74, 2), (11, 2, 72, 1), (11, 3, 69, 1),
]


def note(ring, start, midi, held, partials, strength, attack):
    """Adds one note: a smooth attack, exponential decay of each partial, a smooth release."""
    hertz = 440.0 * 2.0 ** ((midi - 69) / 12)
    release = 0.5
    total = int(RATE * (held + release))
    first = int(RATE * start)
    for multiple, level, decay in partials:
        step = 2 * math.pi * hertz * multiple / RATE
        loss = math.exp(-1 / (decay * RATE))
        level *= strength
        for n in range(total):
            time = n / RATE
            gain = level
            if time < attack:
                gain *= 0.5 - 0.5 * math.cos(math.pi * time / attack)
            if time > held:
                gain *= 0.5 + 0.5 * math.cos(math.pi * (time - held) / release)
            ring[(first + n) % LENGTH] += gain * math.sin(step * n)
            level *= loss


def main(out):
    ring = [0.0] * LENGTH
    bar = 4 * BEAT
    for number, (bass, chord) in enumerate(CHORDS):
        note(ring, number * bar, bass, 1.8 * BEAT, BASS, 0.50, 0.02)
        note(ring, number * bar + 2.5 * BEAT, bass, 1.3 * BEAT, BASS, 0.32, 0.02)
        for place, midi in enumerate(chord):
            # Strummed slowly, 60 ms from string to string.
            note(ring, number * bar + 0.06 * place, midi, bar, PAD, 0.22, 0.25)
    for number, beat, midi, beats in MELODY:
        note(ring, number * bar + beat * BEAT, midi, beats * BEAT * 0.95, BELL, 0.34, 0.012)
    peak = max(abs(sample) for sample in ring)
    pcm = array.array("h", (round(sample / peak * 20_000) for sample in ring))
    if sys.byteorder == "big":
        pcm.byteswap()
    with wave.open(out, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(RATE)
        wav.writeframes(pcm.tobytes())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
