// One conversation of the phone: a JsSIP session, its connection and its microphone. It does not end by itself for
// a lost network: it restarts ICE until the server or the agent ends it.
import type { IncomingRequest } from 'jssip/lib/SIPMessage'
import type { RTCSession, TerminateOptions } from 'jssip/lib/RTCSession'

import { Store } from '../logic/store'

import { stop, type Audio, type MicrophoneFault } from './audio'

export const PURPOSES = ['offer', 'consult', 'transfer', 'reattach', 'supervise'] as const
export type Purpose = (typeof PURPOSES)[number] | 'unknown'

export interface LineState {
  phase: 'ringing' | 'connecting' | 'talking'
  /** Of the header X-Sayso-Call. */
  call: string | null
  purpose: Purpose
  /** As SIP tells it; the event stream knows better. */
  caller: string | null
  muted: boolean
  held: boolean
  media: 'connecting' | 'connected' | 'interrupted'
}

/** `disconnected` often heals by itself; the server waits 1.5 s for sound before it plays music. */
const PATIENCE = 1500
/** Between two attempts to restart ICE, ms. */
const AGAIN = 3000
/** Of one digit and of the gap after it, ms: RFC 4733 receivers want 50. */
const DIGIT = { duration: 120, gap: 80 }

/** ms between two tries to hold while another negotiation is under way, and how many: 10 s, as long as one takes. */
const HOLD_AGAIN = 100
const HOLD_TRIES = 100

export class Line {
  readonly state: Store<LineState>
  microphone: MediaStream | null = null
  /** The agent hung up. */
  left = false
  private restartTimer: number | undefined
  private holdTimer: number | undefined
  private over = false
  private moved = false

  constructor(
    private readonly session: RTCSession,
    request: IncomingRequest,
    private readonly audio: Audio,
    private readonly config: RTCConfiguration,
    /** Whether a request of ours would get through now: JsSIP ends a session whose request does not. */
    private readonly canSignal: () => boolean,
    onOver: () => void,
  ) {
    const purpose = PURPOSES.find((one) => one === header(request, 'X-Sayso-Purpose')) ?? 'unknown'
    this.state = new Store<LineState>({
      phase: 'ringing', call: header(request, 'X-Sayso-Call'), purpose, muted: false, held: false, media: 'connecting',
      caller: session.remote_identity.display_name || session.remote_identity.uri.user || null,
    })
    keepAlive(session, () => { this.restart() })
    const ended = () => {
      if (this.over) return
      this.over = true
      window.clearTimeout(this.restartTimer)
      window.clearTimeout(this.holdTimer)
      stop(this.microphone)
      this.audio.hear(null)
      onOver()
    }
    session.on('ended', ended)
    session.on('failed', ended)
    session.on('confirmed', () => { this.state.patch({ phase: 'talking' }) })
    session.on('hold', () => { this.told() })
    session.on('unhold', () => { this.told() })
    session.on('muted', () => { this.told() })
    session.on('unmuted', () => { this.told() })
    // The server is ICE-lite: it needs none of our candidates, so the answer need not wait for them. TURN goes on
    // being gathered meanwhile.
    session.on('icecandidate', ({ ready }) => { ready() })
    session.on('peerconnection', ({ peerconnection }) => { this.watch(peerconnection) })
  }

  /** Throws a `MicrophoneFault`; it rings on then. */
  async answer() {
    if (this.state.get().phase !== 'ringing') return
    this.state.patch({ phase: 'connecting' })
    try {
      this.microphone = await this.audio.microphone()
    } catch (fault) {
      this.state.patch({ phase: 'ringing' })
      throw fault as MicrophoneFault
    }
    if (this.over) {
      stop(this.microphone)
      return
    }
    this.followMicrophone()
    this.session.answer({ mediaStream: this.microphone, pcConfig: this.config })
  }

  /** Ends it by the agent's wish. */
  hangUp() {
    this.left = true
    if (!this.over) this.session.terminate(this.state.get().phase === 'ringing' ? { status_code: 603 } : undefined)
  }

  /** The server has given it up and rings another in its place. */
  letGo() { if (!this.over) this.session.terminate() }

  decline() { this.session.terminate({ status_code: 603 }) }

  busy() { this.session.terminate({ status_code: 486 }) }

  setMuted(muted: boolean) {
    if (muted) this.session.mute({ audio: true })
    else this.session.unmute({ audio: true })
  }

  /** A negotiation under way (an ICE restart, the server's own) comes first: the wish waits for its end. */
  setHeld(held: boolean, tries = HOLD_TRIES) {
    window.clearTimeout(this.holdTimer)
    if (this.over || held === this.session.isOnHold().local) return
    const done = this.canSignal() && (held ? this.session.hold() : this.session.unhold())
    if (!done && tries > 0) this.holdTimer = window.setTimeout(() => { this.setHeld(held, tries - 1) }, HOLD_AGAIN)
  }

  digit(digit: string) {
    this.session.sendDTMF(digit, {
      transportType: 'RFC2833' as never, duration: DIGIT.duration, interToneGap: DIGIT.gap,
    })
  }

  /** After another microphone was chosen, or the one in use was unplugged. */
  async changeMicrophone() {
    const sender = this.peer?.getSenders().find(({ track }) => track?.kind === 'audio')
    if (!sender || this.over) return
    const fresh = await this.audio.microphone()
    const track = fresh.getAudioTracks()[0]
    if (!track) return
    track.enabled = sender.track?.enabled ?? true
    await sender.replaceTrack(track)
    stop(this.microphone)
    this.microphone = fresh
    this.followMicrophone()
  }

  get peer(): RTCPeerConnection | null { return (this.session.connection as RTCPeerConnection | undefined) ?? null }

  /** When the way to the server is new: its address for us is, too. */
  networkChanged() { this.moved = true }

  /** The signalling is back: an interrupted connection, or one over another network now, is worth an attempt at once. */
  signallingBack() {
    if (this.moved || this.state.get().media === 'interrupted') this.restart()
    this.moved = false
  }

  private followMicrophone() {
    const track = this.microphone?.getAudioTracks()[0]
    track?.addEventListener('ended', () => { this.changeMicrophone().catch(() => undefined) })
  }

  private watch(peer: RTCPeerConnection) {
    window.sayso.peer = peer
    peer.addEventListener('track', ({ streams, track }) => {
      this.audio.hear(streams[0] ?? new MediaStream([track]))
    })
    peer.addEventListener('iceconnectionstatechange', () => {
      window.clearTimeout(this.restartTimer)
      switch (peer.iceConnectionState) {
        case 'connected':
        case 'completed':
          this.state.patch({ media: 'connected' })
          break
        case 'disconnected':
          this.state.patch({ media: 'interrupted' })
          this.restartTimer = window.setTimeout(() => { this.restart() }, PATIENCE)
          break
        case 'failed':
          this.state.patch({ media: 'interrupted' })
          this.restart()
          break
        case 'new':
        case 'checking':
        case 'closed':
          break
      }
    })
  }

  /** ICE restart by re-INVITE; tried again while the connection is away. */
  private restart() {
    window.clearTimeout(this.restartTimer)
    if (this.over) return
    if (this.session.isEstablished() && this.canSignal()) {
      this.session.renegotiate({ rtcOfferConstraints: { iceRestart: true } })
    }
    this.restartTimer = window.setTimeout(() => {
      if (this.state.get().media === 'interrupted') this.restart()
    }, AGAIN)
  }

  private told() {
    this.state.patch({ held: this.session.isOnHold().local, muted: this.session.isMuted().audio ?? false })
  }
}

/**
 * JsSIP says BYE by itself when ICE fails and when a re-INVITE does. The agent would hang up on the caller for a moment
 * without network: an ICE restart instead, and the server's own patience.
 */
function keepAlive(session: RTCSession, restart: () => void) {
  const terminate = session.terminate.bind(session)
  session.terminate = (options?: TerminateOptions) => {
    if (options?.cause === 'RTP Timeout') restart()
    else if (options?.cause !== 'WebRTC Error' || !session.isEstablished()) terminate(options)
  }
}

function header(request: IncomingRequest, name: string): string | null {
  return (request.getHeader(name) as string | undefined)?.trim() || null
}
