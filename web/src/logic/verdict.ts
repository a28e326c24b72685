// The media self-test: from what was found to what is wrong, in the order in which a call needs it. Pure.

/** What the test found. Absent: it did not get that far. */
export interface Findings {
  secureContext: boolean
  /** Whether the browser has microphones and WebRTC at all. */
  able: boolean
  microphone?: 'ok' | 'refused' | 'missing' | 'busy' | 'silent'
  webSocket?: 'open' | 'blocked'
  registered?: boolean
  /** Status of the answer to the test call, 200 when it was taken. */
  answered?: number | 'timeout'
  /** Addresses the server asked our audio to be sent to. */
  serverCandidates?: { address: string; port: number }[]
  ice?: 'connected' | 'failed'
  dtls?: 'connected' | 'failed'
  /** Whether a TURN server was offered and whether it gave an address. */
  turn?: 'none' | 'unreachable' | 'reachable'
  relayed?: boolean
  echo?: { heard: boolean; loss: number | null; jitter: number | null; roundTrip: number | null }
}

export type Step = 'page' | 'microphone' | 'signalling' | 'call' | 'network' | 'encryption' | 'relay' | 'echo'
export type Fault =
  | 'page-insecure' | 'browser-unable' | 'microphone-refused' | 'microphone-missing' | 'microphone-busy'
  | 'microphone-silent' | 'websocket-blocked' | 'not-registered' | 'call-refused' | 'call-unanswered'
  | 'udp-blocked' | 'wrong-public-address' | 'private-address' | 'dtls-failed' | 'turn-unreachable' | 'no-echo'
  | 'echo-lossy'
export type Check =
  | { step: Step; state: 'ok'; detail: Detail | null }
  | { step: Step; state: 'warning' | 'failed'; fault: Fault; detail: Detail | null }
  | { step: Step; state: 'skipped' }
export type Detail =
  | { kind: 'status'; status: number }
  | { kind: 'address'; address: string; host: string }
  | { kind: 'measured'; loss: number | null; jitter: number | null; roundTrip: number | null }
  | { kind: 'relayed' } | { kind: 'direct' } | { kind: 'no-turn' }

/** One check a step. After a failed one that all later ones need, those are `skipped`. */
export function verdict(found: Findings, pageHost: string): Check[] {
  const checks: Check[] = [page(found), microphone(found), signalling(found), call(found), network(found, pageHost),
    encryption(found), relay(found), echo(found)]
  // A refused microphone does not keep the test from what else may be wrong.
  const stop = checks.findIndex((check) => check.state === 'failed' && check.step !== 'microphone')
  return checks.map((check, at) => (stop >= 0 && at > stop && check.state !== 'failed' && check.step !== 'relay'
    ? { step: check.step, state: 'skipped' } : check))
}

const ok = (step: Step, detail: Detail | null = null): Check => ({ step, state: 'ok', detail })
const failed = (step: Step, fault: Fault, detail: Detail | null = null): Check =>
  ({ step, state: 'failed', fault, detail })
const warning = (step: Step, fault: Fault, detail: Detail | null = null): Check =>
  ({ step, state: 'warning', fault, detail })
const skipped = (step: Step): Check => ({ step, state: 'skipped' })

function page(found: Findings): Check {
  if (!found.secureContext) return failed('page', 'page-insecure')
  return found.able ? ok('page') : failed('page', 'browser-unable')
}

function microphone({ microphone }: Findings): Check {
  switch (microphone) {
    case undefined: return skipped('microphone')
    case 'ok': return ok('microphone')
    case 'silent': return warning('microphone', 'microphone-silent')
    case 'refused': return failed('microphone', 'microphone-refused')
    case 'missing': return failed('microphone', 'microphone-missing')
    case 'busy': return failed('microphone', 'microphone-busy')
  }
}

function signalling({ webSocket, registered }: Findings): Check {
  if (webSocket === undefined) return skipped('signalling')
  if (webSocket === 'blocked') return failed('signalling', 'websocket-blocked')
  return registered === false ? failed('signalling', 'not-registered') : ok('signalling')
}

function call({ answered }: Findings): Check {
  if (answered === undefined) return skipped('call')
  if (answered === 'timeout') return failed('call', 'call-unanswered')
  return answered < 300 ? ok('call') : failed('call', 'call-refused', { kind: 'status', status: answered })
}

function network({ ice, serverCandidates, relayed }: Findings, host: string): Check {
  if (ice === undefined) return skipped('network')
  if (ice === 'connected') return ok('network', { kind: relayed ? 'relayed' : 'direct' })
  const address = serverCandidates?.[0]?.address
  if (address === undefined) return failed('network', 'udp-blocked')
  const detail: Detail = { kind: 'address', address, host }
  return failed('network', addressFault(address, host), detail)
}

/**
 * ICE-lite offers one address. When it is not the one the page came from, that is the likeliest fault; behind a name
 * we cannot look, so only a private address is suspicious.
 */
export function addressFault(address: string, host: string): Fault {
  const bare = host.replace(/^\[|\]$/g, '')
  if (isAddress(bare)) return bare === address ? 'udp-blocked' : 'wrong-public-address'
  if (bare === 'localhost') return isLoopback(address) ? 'udp-blocked' : 'wrong-public-address'
  if (isLoopback(address)) return 'wrong-public-address'
  return isPrivate(address) ? 'private-address' : 'udp-blocked'
}

function encryption({ dtls }: Findings): Check {
  if (dtls === undefined) return skipped('encryption')
  return dtls === 'connected' ? ok('encryption') : failed('encryption', 'dtls-failed')
}

function relay({ turn, relayed }: Findings): Check {
  if (turn === undefined) return skipped('relay')
  if (turn === 'none') return ok('relay', { kind: 'no-turn' })
  if (turn === 'unreachable') return warning('relay', 'turn-unreachable')
  return ok('relay', { kind: relayed ? 'relayed' : 'direct' })
}

function echo({ echo }: Findings): Check {
  if (!echo) return skipped('echo')
  const { heard, loss, jitter, roundTrip } = echo
  const detail: Detail = { kind: 'measured', loss, jitter, roundTrip }
  if (!heard) return failed('echo', 'no-echo')
  return (loss ?? 0) >= 0.05 ? warning('echo', 'echo-lossy', detail) : ok('echo', detail)
}

function isAddress(host: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(host) || host.includes(':')
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1'
}

/** RFC 1918, RFC 6598, link-local and unique local addresses. */
function isPrivate(address: string): boolean {
  const [a = 0, b = 0] = address.split('.').map(Number)
  return a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168) || (a === 169 && b === 254)
    || (a === 100 && b >= 64 && b < 128) || /^f[cd]|^fe80/i.test(address)
}

/** The candidates of a description: `a=candidate:1 1 udp 2113937151 192.0.2.1 40000 typ host`. */
export function candidates(sdp: string): { address: string; port: number }[] {
  return [...sdp.matchAll(/^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ /gim)]
    .map((match) => ({ address: match[1] ?? '', port: Number(match[2]) }))
}
