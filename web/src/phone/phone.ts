// The softphone: registers over WebSocket, rings, and holds the one line. What a call is and may is told by the event
// stream; here is only its sound.
import { UA, WebSocketInterface } from 'jssip'
import type { IncomingRequest } from 'jssip/lib/SIPMessage'
import type { RTCSession } from 'jssip/lib/RTCSession'
import type { IncomingRTCSessionEvent } from 'jssip/lib/UA'

import { api, Fault } from '../api/client'
import type { Phone as Credential } from '../api/types'
import { onIncoming } from '../logic/incoming'
import { Store } from '../logic/store'

import type { Audio, MicrophoneFault } from './audio'
import { Line, type LineState } from './line'
import { Tab } from './tab'

export interface PhoneState {
  link: 'off' | 'connecting' | 'registered' | 'failed' | 'elsewhere'
  line: LineState | null
  /** What is wrong with the microphone, as far as it was tried. */
  microphone: MicrophoneFault | null
}

/** Register anew this often, s: a dead connection is noticed within that. */
const EXPIRES = 60
/** After a refused registration, ms; doubles. */
const FIRST_WAIT = 1000
const LONGEST_WAIT = 30_000
/** Which call this browser spoke in last, for all its tabs: a page that is loaded anew takes it back. */
const LAST_CALL = 'sayso.call'
/** A call that was hung up so short ago does not come back by itself, ms: the server may not have heard of it yet. */
const LEFT = 5000
/** A new credential this long before the old one ends, ms. */
const EARLY = 120_000

export class Phone {
  readonly store = new Store<PhoneState>({ link: 'off', line: null, microphone: null })
  line: Line | null = null
  /** Null where the page is no secure context: no microphone there anyway. */
  private readonly tab: Tab | null
  private ua: UA | null = null
  private socket: Socket | null = null
  private credential: Credential | null = null
  private wait = FIRST_WAIT
  private again: number | undefined
  private renewal: number | undefined
  private running = false
  /** The call the agent hung up last. */
  private left: { call: string | null; at: number } | null = null

  constructor(readonly audio: Audio) {
    this.tab = 'locks' in navigator
      ? new Tab((holding) => {
          if (holding === 'ours') void this.connect()
          else this.disconnect('elsewhere')
        })
      : null
  }

  start() {
    this.running = true
    window.addEventListener('online', this.online)
    navigator.mediaDevices?.addEventListener('devicechange', this.devicesChanged)
    if (this.tab) this.tab.start()
    else this.store.patch({ link: 'failed', microphone: 'insecure' })
  }

  stop() {
    this.running = false
    window.removeEventListener('online', this.online)
    navigator.mediaDevices?.removeEventListener('devicechange', this.devicesChanged)
    this.disconnect('off')
    this.tab?.stop()
  }

  /** Takes the phone from another tab. */
  takeOver() { this.tab?.take() }

  async answer() {
    try {
      await this.line?.answer()
      this.store.patch({ microphone: null })
    } catch (fault) {
      this.store.patch({ microphone: fault as MicrophoneFault })
    }
  }

  /** Opens the microphone for a moment: the browser asks for leave before the first call, not in it. */
  async tryMicrophone() {
    if (this.line) return
    try {
      const stream = await this.audio.microphone()
      for (const track of stream.getTracks()) track.stop()
      this.store.patch({ microphone: null })
    } catch (fault) {
      this.store.patch({ microphone: fault as MicrophoneFault })
    }
  }

  /** Calls somebody with sound of the caller's making: the self-test. */
  call(target: string, mediaStream: MediaStream): RTCSession | null {
    return this.ua?.call(target, { mediaStream, pcConfig: this.config() }) ?? null
  }

  get iceServers(): RTCIceServer[] { return this.credential?.iceServers ?? [] }
  get selfTestTarget(): string | null { return this.credential?.selfTest ?? null }
  get webSocket(): string | null { return this.credential?.websocket ?? null }

  private config(): RTCConfiguration { return { iceServers: this.iceServers, bundlePolicy: 'max-bundle' } }

  private async connect() {
    this.store.patch({ link: 'connecting' })
    if (!(await this.renew()) || !this.credential || this.ua) return
    const { websocket, uri, user, password } = this.credential
    this.socket = new Socket(websocket)
    const ua = new UA({
      sockets: [this.socket], uri, authorization_user: user, password, register: true, register_expires: EXPIRES,
      instance_id: instance(), user_agent: 'Sayso desktop', no_answer_timeout: 600,
      connection_recovery_min_interval: 1, connection_recovery_max_interval: 8,
    })
    this.ua = ua
    ua.on('registered', () => {
      this.wait = FIRST_WAIT
      this.store.patch({ link: 'registered' })
      this.line?.signallingBack()
    })
    ua.on('disconnected', () => { if (this.ua === ua) this.store.patch({ link: 'connecting' }) })
    ua.on('registrationFailed', () => { if (this.ua === ua) this.refused() })
    ua.on('newRTCSession', ({ session, request, originator }: IncomingRTCSessionEvent) => {
      // The self-test's call is `local`, and none of ours.
      if (String(originator) === 'remote') this.incoming(session, request)
    })
    ua.start()
  }

  /** A fresh credential into the running phone. False: none to be had, tried again later. */
  private async renew(): Promise<boolean> {
    window.clearTimeout(this.renewal)
    try {
      this.credential = await api.phone()
    } catch (error) {
      if (this.running && !(error instanceof Fault && [401, 403].includes(error.status))) this.later(() => this.connect())
      this.store.patch({ link: 'failed' })
      return false
    }
    const { user, password, expires } = this.credential
    this.ua?.set('authorization_user', user)
    this.ua?.set('password', password)
    const left = Date.parse(expires) - Date.now()
    // setTimeout takes 31 bits of milliseconds.
    const wait = Math.min(Math.max(left - EARLY, left / 2, 5000), 2 ** 31 - 1)
    this.renewal = window.setTimeout(() => { void this.renew().then((done) => done && this.ua?.register()) }, wait)
    return this.running
  }

  private refused() {
    this.store.patch({ link: 'failed' })
    this.later(async () => {
      if (this.ua && (await this.renew())) this.ua.register()
    })
  }

  private later(act: () => Promise<unknown>) {
    window.clearTimeout(this.again)
    this.again = window.setTimeout(() => { void act() }, this.wait)
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT)
  }

  private disconnect(link: PhoneState['link']) {
    window.clearTimeout(this.again)
    window.clearTimeout(this.renewal)
    // A tab that gives the phone away must neither end the call nor the new tab's registration (it is the same phone to
    // the registrar): it falls silent, and the server calls the other tab.
    if (link === 'off') this.line?.hangUp()
    else this.socket?.disconnect()
    this.dropLine()
    const ua = this.ua
    this.ua = null
    ua?.stop()
    this.store.patch({ link, line: null })
  }

  private dropLine() {
    const { line } = this
    this.line = null
    line?.peer?.close()
    this.audio.hear(null)
    this.audio.ring(false)
  }

  private incoming(session: RTCSession, request: IncomingRequest) {
    const canSignal = () => this.store.get().link === 'registered'
    const line: Line = new Line(session, request, this.audio, this.config(), canSignal, () => { this.overWith(line) })
    const then =
      onIncoming(line.state.get(), localStorage.getItem(LAST_CALL), this.line?.state.get() ?? null, this.leftLately())
    if (then === 'decline') {
      line.decline()
      return
    }
    if (then === 'busy') {
      line.busy()
      return
    }
    const old = this.line
    this.line = line
    // Of the same call: the server has given it up and rings this one in its place.
    old?.letGo()
    line.state.subscribe(() => { if (this.line === line) this.shown() })
    this.shown()
    if (then === 'answer') void this.answer()
  }

  private leftLately(): string | null {
    return this.left && Date.now() - this.left.at < LEFT ? this.left.call : null
  }

  private overWith(line: Line) {
    if (line.left) this.left = { call: line.state.get().call, at: Date.now() }
    if (this.line !== line) return
    this.line = null
    this.shown()
  }

  private shown() {
    const line = this.line?.state.get() ?? null
    if (line?.phase === 'talking' && line.call && line.purpose !== 'supervise') localStorage.setItem(LAST_CALL, line.call)
    this.audio.ring(line?.phase === 'ringing')
    this.store.patch({ line })
  }

  private readonly online = () => {
    // First the flag: a socket that is already back registers at once.
    this.line?.networkChanged()
    this.socket?.renew()
  }

  private readonly devicesChanged = () => {
    const track = this.line?.microphone?.getAudioTracks()[0]
    if (track?.readyState === 'ended') this.line?.changeMicrophone().catch(() => undefined)
  }
}

/** JsSIP's WebSocket, and a way to drop one that the network has left behind without a close. */
class Socket extends WebSocketInterface {
  renew() {
    if (!this.isConnected()) return
    this.disconnect()
    this.ondisconnect(true, 1006, 'the network has changed')
  }
}

/** Which phone this is, for the registrar (RFC 5626): a reload replaces its own binding. */
function instance(): string {
  const key = 'sayso.instance'
  const known = localStorage.getItem(key)
  if (known) return known
  const fresh = crypto.randomUUID()
  localStorage.setItem(key, fresh)
  return fresh
}
