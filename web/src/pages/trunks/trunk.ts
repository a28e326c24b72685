// A trunk's document as its forms see it. Pure.
import type { TrunkDocument } from '../../api/admin'

/** A part of a document changed; without anything left it is no key. */
export function withDigest(draft: TrunkDocument, part: Partial<NonNullable<TrunkDocument['digest']>>): Partial<TrunkDocument> {
  const { user = '', password } = { ...draft.digest, ...part }
  if (user === '' && !password) return { digest: undefined }
  return { digest: { user, ...(password ? { password } : {}) } }
}

export function withOutbound(draft: TrunkDocument, part: Partial<NonNullable<TrunkDocument['outbound']>>): Partial<TrunkDocument> {
  const all = Object.entries({ server: '', ...draft.outbound, ...part }).filter(([, value]) => value !== undefined)
  return { outbound: Object.fromEntries(all) as unknown as NonNullable<TrunkDocument['outbound']> }
}

export type Direction = 'inbound' | 'outboundShort' | 'both'
export function directionOf({ networks, digest, outbound }: TrunkDocument): Direction {
  const comes = (networks ?? []).length > 0 || digest !== undefined
  return comes && outbound ? 'both' : outbound ? 'outboundShort' : 'inbound'
}

export const STEPS = ['identity', 'outbound', 'media', 'test', 'numbers'] as const
export type Step = (typeof STEPS)[number]
/** The step at which the trunk is stored. */
export const STORES: Step = 'media'

/** The step on whose page a key of the document is. */
export function stepOf(key: string): Step {
  const parts = key.split('.')
  if (parts.includes('outbound')) return 'outbound'
  const last = parts.at(-1) ?? ''
  return ['codecs', 'srtp', 'in-band-digits', 'release-path'].includes(last) ? 'media' : 'identity'
}
