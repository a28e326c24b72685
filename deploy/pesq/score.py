#!/usr/bin/env python3
"""Scores speech with PESQ, which aligns the two by itself.

Reads pairs of mono 16-bit WAV files, reference and heard, from the arguments or, without any, from stdin:
a pair a line, a tab between. Writes a line of JSON for each, in order: MOS-LQO by P.862.1 at 8 kHz (nb), by
P.862.2 at 16 kHz (wb).
"""

import json
import multiprocessing
import sys
import wave

import numpy
from pesq import pesq

MODES = {8000: "nb", 16000: "wb"}


def read(path):
    with wave.open(path, "rb") as wav:
        if (wav.getnchannels(), wav.getsampwidth()) != (1, 2) or wav.getframerate() not in MODES:
            raise ValueError(f"{path}: mono, 16 bits, 8 or 16 kHz is expected")
        return wav.getframerate(), numpy.frombuffer(wav.readframes(wav.getnframes()), "<i2")


def score(pair):
    reference, heard = pair
    rate, said = read(reference)
    rate_heard, came = read(heard)
    if rate != rate_heard:
        raise ValueError(f"{heard}: {rate_heard} Hz, its reference has {rate} Hz")
    mos = pesq(rate, said, came, MODES[rate])
    return {"reference": reference, "heard": heard, "mode": MODES[rate], "mos_lqo": round(float(mos), 4)}


def main():
    names = sys.argv[1:]
    if names:
        if len(names) % 2:
            sys.exit("usage: score.py [REFERENCE.wav HEARD.wav]...")
        pairs = list(zip(names[::2], names[1::2]))
    else:
        pairs = [tuple(line.rstrip("\n").split("\t", 1)) for line in sys.stdin]
    with multiprocessing.Pool() as pool:
        for row in pool.imap(score, pairs):
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
