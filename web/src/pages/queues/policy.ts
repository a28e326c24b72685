// The recording part of a queue's document, as its form sees it. Pure.
import type { QueueDocument } from '../../api/admin'

export type Recording = NonNullable<QueueDocument['recording']>
export type Ask = 'every-call' | 'when-unknown' | 'older-than'

/** Another way to record: what belongs to the old one alone goes, as the server takes neither a basis nor a question that is not used. */
export function withRecording(draft: QueueDocument, recording: Recording): Partial<QueueDocument> {
  switch (recording) {
    case 'always': return { recording, consent: undefined, 'legal-basis': draft['legal-basis'] ?? { obligation: '' } }
    case 'consent': return { recording, 'legal-basis': undefined }
    case 'never': return { recording, consent: undefined, 'legal-basis': undefined }
  }
}

/** `older-than 365d` in two. */
export function readAsk(text: string | undefined): { ask: Ask; age: string } {
  if (text?.startsWith('older-than ')) return { ask: 'older-than', age: text.slice('older-than '.length) }
  return { ask: text === 'when-unknown' ? 'when-unknown' : 'every-call', age: '365d' }
}

export const writeAsk = ({ ask, age }: { ask: Ask; age: string }) => (ask === 'older-than' ? `older-than ${age}` : ask)

/** A consent question without what is unset; nothing left: no key at all. */
export function withConsent(draft: QueueDocument, part: Partial<NonNullable<QueueDocument['consent']>>): Partial<QueueDocument> {
  const all = Object.fromEntries(Object.entries({ ...draft.consent, ...part }).filter(([, value]) => value !== undefined))
  return { consent: Object.keys(all).length > 0 ? all : undefined }
}
