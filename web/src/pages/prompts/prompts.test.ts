import { describe, expect, it } from 'vitest'

import { en } from '../../texts/admin/prompts/en'
import { promptId, promptWords, readPromptId } from './prompts'
import { wavOf } from './wav'

describe('prompts', () => {
  it('have ids with or without a queue', () => {
    for (const id of ['en~welcome', 'sales~de~consent-question']) expect(promptId(readPromptId(id) ?? { queue: null, language: '', name: '' })).toBe(id)
    for (const bad of ['', 'welcome', 'a~b~c~d', '~en~x']) expect(readPromptId(bad), bad).toBeNull()
  })
  it('have words', () => {
    expect(promptWords(en, 'position-3')).toBe('Place 3 in the queue')
    expect(promptWords(en, 'thanks')).toBe('Thanks for the yes')
    expect(promptWords(en, 'own-one')).toBe('own-one')
  })
  it('are recorded as WAV, mixed to one channel, loud parts limited', () => {
    const view = new DataView(wavOf([new Float32Array([0, 1, 2]), new Float32Array([0, 0, 2])], 48_000))
    expect(String.fromCharCode(...new Uint8Array(view.buffer, 0, 4))).toBe('RIFF')
    expect(view.byteLength).toBe(50)
    expect(view.getUint32(24, true)).toBe(48_000)
    expect([view.getInt16(44, true), view.getInt16(46, true), view.getInt16(48, true)]).toEqual([0, 16_384, 32_767])
  })
})
