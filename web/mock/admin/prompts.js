// Prompts: two shipped, one of a queue's own with versions, one missing; a second of tone as the sound of all.
import { createHash } from 'node:crypto'

import { at, json, noContent, problem } from '../lib.js'

function tone() {
  const [rate, length] = [16_000, 16_000]
  const wav = Buffer.alloc(44 + length * 2)
  wav.write('RIFF', 0)
  wav.writeUInt32LE(36 + length * 2, 4)
  wav.write('WAVEfmt ', 8)
  wav.writeUInt32LE(16, 16)
  wav.writeUInt16LE(1, 20)
  wav.writeUInt16LE(1, 22)
  wav.writeUInt32LE(rate, 24)
  wav.writeUInt32LE(rate * 2, 28)
  wav.writeUInt16LE(2, 32)
  wav.writeUInt16LE(16, 34)
  wav.write('data', 36)
  wav.writeUInt32LE(length * 2, 40)
  for (let n = 0; n < length; n++) wav.writeInt16LE(Math.round(8000 * Math.sin((2 * Math.PI * 440 * n) / rate)), 44 + n * 2)
  return wav
}
const hash = (octets) => createHash('sha256').update(octets).digest('hex')
const one = (id, source, text, more = {}) => {
  const [name, language, queue = null] = id.split('~').reverse()
  return { id, queue, language, name, source, seconds: source === 'missing' ? null : 6.4, lufs: source === 'missing' ? null : -19.2, text, version: source === 'missing' ? null : hash(id), versions: [], usedBy: ['support'], ...more }
}
const prompts = new Map([
  one('en~welcome', 'shipped', 'Welcome.'),
  one('en~consent-question', 'shipped', 'May we record this call? Press 1 for yes, 2 for no.'),
  one('support~en~consent-question', 'imported', 'May we record this call to improve our service? Recordings are kept for 90 days. Press 1 for yes, 2 for no.', {
    versions: [{ version: hash('support~en~consent-question'), at: at(-86_400), by: 'admin' }, { version: hash('older'), at: at(-86_400 * 30), by: 'rita' }] }),
  one('en~position-1', 'shipped', 'You are first in line.', { usedBy: ['support', 'sales', 'billing'] }),
  one('de~consent-question', 'shipped', 'Dürfen wir dieses Gespräch aufzeichnen? Für Ja drücken Sie die 1, für Nein die 2.', { usedBy: [] }),
  one('en~closed', 'missing', null, { usedBy: ['support', 'front'] }),
].map((prompt) => [prompt.id, prompt]))

export function answer({ method, path, body, octets, user }) {
  if (!user) return null
  if (path === '/prompts') return json([...prompts.values()])
  const [, first, encoded, what] = path.split('/')
  if (first !== 'prompts') return null
  const id = decodeURIComponent(encoded)
  const prompt = prompts.get(id)
  if (what === 'audio') return { status: 200, body: tone(), headers: { 'Content-Type': 'audio/wav' } }
  const check = { version: hash(octets), seconds: 3.2, lufs: -24.1, peak: -3.4, clipped: false, silenceStart: 0.31, silenceEnd: 0.85, converted: 'to 8 and 16 kHz, one channel, raised by 5.1 dB',
    warnings: ['The silence at the end is long: callers wait before they may answer.'] }
  if (what === 'preview') return octets.length < 100 ? problem(422, 'bad-audio', 'That is no sound that can be read.') : json(check)
  if (what === 'text') {
    prompts.set(id, { ...(prompt ?? one(id, 'missing', null)), text: body.text })
    return noContent
  }
  if (what === 'restore') {
    prompts.set(id, { ...prompt, version: body.version })
    return noContent
  }
  if (method === 'PUT') {
    prompts.set(id, { ...(prompt ?? one(id, 'imported', null)), source: 'imported', seconds: check.seconds, lufs: check.lufs, version: check.version, versions: [{ version: check.version, at: at(), by: user }, ...(prompt?.versions ?? [])] })
    return json(check, prompt ? 200 : 201)
  }
  if (method === 'DELETE') {
    prompts.delete(id)
    return noContent
  }
  return null
}
