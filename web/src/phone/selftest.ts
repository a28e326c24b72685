// The media self-test: a short call to the server's echo with a tone of our own, and what each step on the way found.
// What it means is said by `logic/verdict.ts`.
import type { RTCSession } from 'jssip/lib/RTCSession'

import { read } from '../logic/quality'
import { toneShare } from '../logic/tone'
import { candidates, type Findings } from '../logic/verdict'

import { Meter, stop, type MicrophoneFault } from './audio'
import type { Phone } from './phone'

/** Hz; every codec carries it. */
const TONE = 1000
/** At most, ms. The server answers in well under one; a phone call's usual patience is longer, a person's here is not. */
const LIMITS = { microphone: 4000, webSocket: 5000, answer: 8000, connect: 8000, echo: 3000, relay: 4000 }
/** Digital silence: even a quiet room with a good microphone is louder than -80 dB. */
const SILENT = 1e-4

/** Tells what it has found after each step; ends with all of it. */
export async function selfTest(phone: Phone, tell: (found: Findings) => void): Promise<Findings> {
  let found: Findings = {
    secureContext: window.isSecureContext,
    able: 'RTCPeerConnection' in window && 'mediaDevices' in navigator,
  }
  const learn = (more: Partial<Findings>) => {
    found = { ...found, ...more }
    tell(found)
  }
  learn({})
  if (!found.secureContext || !found.able) return found
  const relay = testRelay(phone.iceServers)
  learn({ microphone: await testMicrophone(phone) })
  const registered = phone.store.get().link === 'registered'
  learn({ webSocket: registered ? 'open' : await testWebSocket(phone.webSocket), registered })
  if (registered) await testCall(phone, learn)
  learn({ turn: await relay })
  return found
}

async function testMicrophone(phone: Phone): Promise<NonNullable<Findings['microphone']>> {
  let stream: MediaStream
  try {
    stream = await phone.audio.microphone(true)
  } catch (fault) {
    const word = fault as MicrophoneFault
    return word === 'insecure' ? 'refused' : word
  }
  // Longer than the time between two looks: a word in between is heard, too.
  const meter = new Meter(stream, 8192)
  let heard = false
  await poll(LIMITS.microphone, () => {
    heard ||= meter.level() >= SILENT
    return heard
  })
  meter.close()
  stop(stream)
  return heard ? 'ok' : 'silent'
}

function testWebSocket(url: string | null): Promise<'open' | 'blocked'> {
  if (!url) return Promise.resolve('blocked')
  return new Promise((done) => {
    const socket = new WebSocket(url, 'sip')
    const end = (result: 'open' | 'blocked') => {
      window.clearTimeout(timer)
      socket.close()
      done(result)
    }
    const timer = window.setTimeout(() => { end('blocked') }, LIMITS.webSocket)
    socket.onopen = () => { end('open') }
    socket.onerror = () => { end('blocked') }
  })
}

async function testRelay(servers: RTCIceServer[]): Promise<NonNullable<Findings['turn']>> {
  const isTurn = ({ urls }: RTCIceServer) => [urls].flat().some((url) => url.startsWith('turn'))
  if (!servers.some(isTurn)) return 'none'
  const peer = new RTCPeerConnection({ iceServers: servers, iceTransportPolicy: 'relay' })
  let reached = false
  peer.addEventListener('icecandidate', ({ candidate }) => { reached ||= candidate?.type === 'relay' })
  peer.addTransceiver('audio')
  await peer.setLocalDescription()
  await poll(LIMITS.relay, () => reached)
  peer.close()
  return reached ? 'reachable' : 'unreachable'
}

async function testCall(phone: Phone, learn: (more: Partial<Findings>) => void) {
  const target = phone.selfTestTarget
  const sound = new Tone()
  const session = target ? phone.call(target, sound.stream) : null
  if (!session) {
    sound.close()
    return
  }
  try {
    const answered = await answerOf(session)
    learn({ answered })
    if (answered !== 200) return
    const peer = session.connection
    learn({ serverCandidates: candidates(peer.remoteDescription?.sdp ?? '') })
    if (await connects(peer, learn)) await testEcho(peer, learn)
  } finally {
    sound.close()
    if (!session.isEnded()) session.terminate()
  }
}

function answerOf(session: RTCSession): Promise<number | 'timeout'> {
  return new Promise((done) => {
    const timer = window.setTimeout(() => { done('timeout') }, LIMITS.answer)
    const end = (answer: number | 'timeout') => {
      window.clearTimeout(timer)
      done(answer)
    }
    session.on('icecandidate', ({ ready }) => { ready() })
    session.on('peerconnection', ({ peerconnection }) => { window.sayso.peer = peerconnection })
    if (session.connection as RTCPeerConnection | undefined) window.sayso.peer = session.connection
    session.on('confirmed', () => { end(200) })
    session.on('failed', ({ message }) => {
      const status = (message as { status_code?: number } | null)?.status_code
      end(status ?? 'timeout')
    })
  })
}

/** ICE, then DTLS. */
async function connects(peer: RTCPeerConnection, learn: (more: Partial<Findings>) => void): Promise<boolean> {
  const iceUp = () => ['connected', 'completed'].includes(peer.iceConnectionState)
  await poll(LIMITS.connect, () => ['connected', 'failed', 'closed'].includes(peer.connectionState))
  learn({ ice: iceUp() || peer.connectionState === 'connected' ? 'connected' : 'failed' })
  if (!iceUp()) return false
  const up = peer.connectionState === 'connected'
  learn({ dtls: up ? 'connected' : 'failed' })
  return up
}

async function testEcho(peer: RTCPeerConnection, learn: (more: Partial<Findings>) => void) {
  const track = peer.getReceivers().find((receiver) => receiver.track.kind === 'audio')?.track
  if (!track) {
    learn({ echo: { heard: false, loss: null, jitter: null, roundTrip: null } })
    return
  }
  const stream = new MediaStream([track])
  // Chromium gives an analyser nothing of a remote stream that nobody plays.
  const player = document.createElement('audio')
  player.muted = true
  player.srcObject = stream
  await player.play().catch(() => undefined)
  const meter = new Meter(stream)
  const before = read((await values(peer)), null, performance.now()).counters
  let times = 0
  await poll(LIMITS.echo, () => {
    // Half of the energy, for half a second: no accident.
    if (toneShare(meter.read(), meter.rate, TONE) > 0.5 && meter.level() > 0.005) times += 1
    return false
  })
  const { measure, relayed } = read(await values(peer), before, performance.now())
  meter.close()
  player.srcObject = null
  learn({
    relayed,
    echo: { heard: times >= 5, loss: measure.loss, jitter: measure.jitter, roundTrip: measure.roundTrip },
  })
}

export async function values(peer: RTCPeerConnection): Promise<Record<string, unknown>[]> {
  const all: Record<string, unknown>[] = [];
  (await peer.getStats()).forEach((one: Record<string, unknown>) => all.push(one))
  return all
}

/** A tone, as a microphone would give it. */
class Tone {
  private readonly context = new AudioContext()
  readonly stream: MediaStream

  constructor() {
    const [oscillator, gain] = [this.context.createOscillator(), this.context.createGain()]
    const out = this.context.createMediaStreamDestination()
    oscillator.frequency.value = TONE
    gain.gain.value = 0.3
    oscillator.connect(gain).connect(out)
    oscillator.start()
    void this.context.resume()
    this.stream = out.stream
  }

  close() {
    stop(this.stream)
    void this.context.close()
  }
}

/** Looks every 100 ms until true or for so many ms. */
async function poll(limit: number, look: () => boolean) {
  const end = performance.now() + limit
  while (!look() && performance.now() < end) await new Promise((go) => window.setTimeout(go, 100))
}
