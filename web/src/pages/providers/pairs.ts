// `group = role`, as the settings write what a provider's groups are here. Pure.

export interface Pair { group: string; role: string }

export function readPairs(list: string[] | undefined): Pair[] {
  return (list ?? []).map((text) => {
    // As the server reads it: the first `=` parts the two.
    const at = text.indexOf('=')
    return at < 0 ? { group: text.trim(), role: '' } : { group: text.slice(0, at).trim(), role: text.slice(at + 1).trim() }
  })
}

export const writePairs = (pairs: Pair[]): string[] | undefined =>
  pairs.length === 0 ? undefined : pairs.map(({ group, role }) => `${group} = ${role}`)
