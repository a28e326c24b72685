// How prompts are called. Pure.

/** Of music, which has none (BCP 47). */
export const NO_LANGUAGE = 'zxx'

export interface PromptName { queue: string | null; language: string; name: string }

/** `QUEUE~LANGUAGE~NAME`, or `LANGUAGE~NAME` for all queues. */
export const promptId = ({ queue, language, name }: PromptName) => [...(queue ? [queue] : []), language, name].join('~')

export function readPromptId(id: string): PromptName | null {
  const parts = id.split('~')
  if (parts.some((part) => part === '') || parts.length < 2 || parts.length > 3) return null
  const [name, language, queue] = [...parts].reverse() as [string, string, string | undefined]
  return { queue: queue ?? null, language, name }
}

/** The words of a prompt's name; those with numbers by their number, unknown ones as they are. */
export function promptWords(words: { names: Record<string, string>; position(n: string): string }, name: string): string {
  const known = words.names[name]
  if (known) return known
  const place = /^position-(\d+)$/.exec(name)?.[1]
  return place ? words.position(place) : name
}
