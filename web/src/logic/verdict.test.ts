import { describe, expect, test } from 'vitest'

import { addressFault, candidates, verdict, type Findings } from './verdict'

const FINE: Findings = {
  secureContext: true, able: true, microphone: 'ok', webSocket: 'open', registered: true, answered: 200,
  serverCandidates: [{ address: '198.51.100.7', port: 40000 }], ice: 'connected', dtls: 'connected', turn: 'none', relayed: false,
  echo: { heard: true, loss: 0, jitter: 3, roundTrip: 20 },
}
const faults = (found: Partial<Findings>, host = 'sayso.example') =>
  verdict({ ...FINE, ...found }, host).flatMap((check) => ('fault' in check ? [check.fault] : []))
const states = (found: Partial<Findings>) => Object.fromEntries(verdict({ ...FINE, ...found }, 'h').map(({ step, state }) => [step, state]))

describe('the self-test', () => {
  test('finds nothing where nothing is wrong', () => {
    expect(verdict(FINE, 'sayso.example').map(({ state }) => state)).toEqual(Array(8).fill('ok'))
  })

  test('names one fault for each thing that can be wrong', () => {
    expect(faults({ secureContext: false })).toEqual(['page-insecure'])
    expect(faults({ able: false })).toEqual(['browser-unable'])
    expect(faults({ microphone: 'refused' })).toEqual(['microphone-refused'])
    expect(faults({ microphone: 'silent' })).toEqual(['microphone-silent'])
    expect(faults({ webSocket: 'blocked', registered: false })).toEqual(['websocket-blocked'])
    expect(faults({ registered: false })).toEqual(['not-registered'])
    expect(faults({ answered: 'timeout' })).toEqual(['call-unanswered'])
    expect(faults({ answered: 503 })).toEqual(['call-refused'])
    expect(faults({ dtls: 'failed' })).toEqual(['dtls-failed'])
    expect(faults({ turn: 'unreachable' })).toEqual(['turn-unreachable'])
    expect(faults({ echo: { heard: false, loss: null, jitter: null, roundTrip: null } })).toEqual(['no-echo'])
    expect(faults({ echo: { heard: true, loss: 0.2, jitter: 3, roundTrip: 20 } })).toEqual(['echo-lossy'])
  })

  test('a failed step leaves the later ones untested, a refused microphone does not', () => {
    expect(states({ ice: 'failed' })).toMatchObject({ network: 'failed', encryption: 'skipped', echo: 'skipped', relay: 'ok' })
    expect(states({ microphone: 'refused' })).toMatchObject({ microphone: 'failed', network: 'ok', echo: 'ok' })
  })

  test('what has not been looked at yet is no fault', () => {
    expect(verdict({ secureContext: true, able: true }, 'h').slice(1).every(({ state }) => state === 'skipped')).toBe(true)
  })

  test('tells blocked UDP from a wrong public address by the page’s host', () => {
    expect(addressFault('198.51.100.7', '198.51.100.7')).toBe('udp-blocked')
    expect(addressFault('10.0.0.5', '198.51.100.7')).toBe('wrong-public-address')
    expect(addressFault('127.0.0.1', 'sayso.example')).toBe('wrong-public-address')
    expect(addressFault('10.0.0.5', 'sayso.example')).toBe('private-address')
    expect(addressFault('172.20.1.1', 'sayso.example')).toBe('private-address')
    expect(addressFault('172.32.1.1', 'sayso.example')).toBe('udp-blocked')
    expect(addressFault('2001:db8::7', '[2001:db8::7]')).toBe('udp-blocked')
    expect(addressFault('127.0.0.1', 'localhost')).toBe('udp-blocked')
  })

  test('reads addresses out of a description', () => {
    const sdp = 'v=0\r\na=ice-lite\r\na=candidate:1 1 udp 2113937151 192.0.2.1 40000 typ host\r\na=end-of-candidates\r\n'
    expect(candidates(sdp)).toEqual([{ address: '192.0.2.1', port: 40000 }])
  })
})
