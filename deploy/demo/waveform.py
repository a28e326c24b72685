#!/usr/bin/env python3
"""Draws a stereo recording as SVG, caller above and agent below: waveform.py IN.wav OUT.svg"""

import struct
import sys
import wave

WIDTH, HALF, STEPS = 900, 60, 450


def main(source: str, target: str) -> None:
    with wave.open(source) as file:
        assert file.getnchannels() == 2 and file.getsampwidth() == 2, "a stereo PCM16 file is expected"
        rate, count = file.getframerate(), file.getnframes()
        samples = struct.unpack(f"<{2 * count}h", file.readframes(count))
    lines = []
    for channel, name, colour, middle in ((0, "caller", "#2563eb", 75), (1, "agent", "#059669", 205)):
        one = samples[channel::2]
        step = max(1, len(one) // STEPS)
        points = []
        for n in range(STEPS):
            piece = one[n * step : (n + 1) * step] or (0,)
            x = n * WIDTH / STEPS + 10
            low, high = (middle - value * HALF / 32768 for value in (min(piece), max(piece)))
            points.append(f"M{x:.0f} {high:.1f}V{low:.1f}")
        lines.append(f'<path d="{"".join(points)}" stroke="{colour}" stroke-width="1.6"/>')
        lines.append(f'<text x="10" y="{middle - 48}" fill="{colour}">{name}</text>')
    for second in range(int(count / rate) + 1):
        x = 10 + second * WIDTH * rate / count
        lines.append(f'<text x="{x:.0f}" y="278" fill="#6b7280">{second} s</text>')
    body = "\n".join(lines)
    with open(target, "w", encoding="utf-8") as out:
        out.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + 20} 285" '
            f'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="#ffffff"/>\n'
            f"{body}\n</svg>\n"
        )


main(*sys.argv[1:3])
