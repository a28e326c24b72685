// Sound of the browser as a WAV file: 16 bits, one channel, which every server reads. Pure.

/** `channels`: samples from -1 to 1, mixed to one. */
export function wavOf(channels: Float32Array[], rate: number): ArrayBuffer {
  const length = channels[0]?.length ?? 0
  const octets = new ArrayBuffer(44 + length * 2)
  const view = new DataView(octets)
  const word = (at: number, text: string) => { [...text].forEach((sign, n) => { view.setUint8(at + n, sign.charCodeAt(0)) }) }
  word(0, 'RIFF')
  view.setUint32(4, 36 + length * 2, true)
  word(8, 'WAVEfmt ')
  view.setUint32(16, 16, true)
  view.setUint16(20, 1, true)
  view.setUint16(22, 1, true)
  view.setUint32(24, rate, true)
  view.setUint32(28, rate * 2, true)
  view.setUint16(32, 2, true)
  view.setUint16(34, 16, true)
  word(36, 'data')
  view.setUint32(40, length * 2, true)
  for (let n = 0; n < length; n++) {
    const mixed = channels.reduce((sum, channel) => sum + (channel[n] ?? 0), 0) / channels.length
    view.setInt16(44 + n * 2, Math.round(Math.max(-1, Math.min(1, mixed)) * 32_767), true)
  }
  return octets
}
