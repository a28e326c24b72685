// Sound as figures: levels, a tone found in noise, and the ringtone. Pure.

/** Root mean square of samples between -1 and 1. */
export function level(samples: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < samples.length; i++) sum += (samples[i] ?? 0) ** 2
  return samples.length ? Math.sqrt(sum / samples.length) : 0
}

/** A level as a share of a meter, 0 to 1: -60 dB is its foot, 0 dB its top. */
export function meter(rms: number): number {
  return rms <= 0 ? 0 : Math.min(1, Math.max(0, 1 + (20 * Math.log10(rms)) / 60))
}

/** How much of the energy is in the tone of `hz` (Goertzel), 0 to about 1. */
export function toneShare(samples: ArrayLike<number>, rate: number, hz: number): number {
  const total = level(samples) ** 2 * samples.length
  if (total === 0) return 0
  const step = 2 * Math.cos((2 * Math.PI * hz) / rate)
  let [one, two] = [0, 0]
  for (let i = 0; i < samples.length; i++) [one, two] = [(samples[i] ?? 0) + step * one - two, one]
  return ((one * one + two * two - step * one * two) * 2) / (samples.length * total)
}

/** A ringtone of three seconds, two soft double strokes, as a WAV file of 16 bit at 16 kHz. */
export function ringtone(): Uint8Array<ArrayBuffer> {
  const [rate, seconds] = [16000, 3]
  const samples = new Int16Array(rate * seconds)
  for (const [start, length] of [[0, 0.4], [0.55, 0.4]] as const) {
    for (let i = 0; i < rate * length; i++) {
      const [t, left] = [i / rate, length - i / rate]
      const envelope = Math.min(1, t / 0.02, left / 0.08)
      const wave = Math.sin(2 * Math.PI * 587 * t) + 0.6 * Math.sin(2 * Math.PI * 740 * t)
      samples[Math.floor(start * rate) + i] = wave * envelope * 0.3 * 0x7fff
    }
  }
  return wav(samples, rate)
}

function wav(samples: Int16Array, rate: number): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(44 + samples.length * 2))
  const word = (at: number, text: string) => [...text].forEach((c, i) => { view.setUint8(at + i, c.charCodeAt(0)) })
  word(0, 'RIFF'); view.setUint32(4, 36 + samples.length * 2, true); word(8, 'WAVEfmt ')
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true)
  view.setUint32(24, rate, true); view.setUint32(28, rate * 2, true); view.setUint16(32, 2, true)
  view.setUint16(34, 16, true); word(36, 'data'); view.setUint32(40, samples.length * 2, true)
  samples.forEach((sample, i) => { view.setInt16(44 + i * 2, sample, true) })
  return new Uint8Array(view.buffer)
}
