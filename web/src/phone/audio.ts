// Microphone, speaker and ringtone: the browser's sound, with the devices the agent chose.
import { Store } from '../logic/store'
import { level, ringtone } from '../logic/tone'

/** Device ids; '' is the system's default. */
export interface Preferences {
  microphone: string
  speaker: string
  ringer: string
  /** 0 to 1 */
  volume: number
  notify: boolean
}

export type MicrophoneFault = 'refused' | 'missing' | 'busy' | 'insecure'

const KEY = 'sayso.audio'
const STANDARD: Preferences = { microphone: '', speaker: '', ringer: '', volume: 0.7, notify: false }

export const canChooseSpeaker = typeof HTMLMediaElement !== 'undefined' && 'setSinkId' in HTMLMediaElement.prototype

export class Audio {
  readonly preferences = new Store<Preferences>(stored())
  /** Whether the browser waits for a click before it plays. */
  readonly waitsForClick = new Store(false)
  private readonly speaker = document.createElement('audio')
  private readonly ringer = document.createElement('audio')
  private ringtone: string | null = null

  choose(part: Partial<Preferences>) {
    this.preferences.patch(part)
    localStorage.setItem(KEY, JSON.stringify(this.preferences.get()))
    void this.route()
  }

  /** The microphone, open. Throws a `MicrophoneFault`. `raw`: as it is, without echo and noise removed. */
  async microphone(raw = false): Promise<MediaStream> {
    // Absent where the page is no secure context, whatever the types say.
    const devices = navigator.mediaDevices as MediaDevices | undefined
    if (!devices) throw 'insecure' satisfies MicrophoneFault
    const { microphone } = this.preferences.get()
    const clean = !raw
    try {
      return await devices.getUserMedia({
        audio: {
          ...(microphone ? { deviceId: { ideal: microphone } } : {}),
          echoCancellation: clean, noiseSuppression: clean, autoGainControl: clean,
        },
      })
    } catch (error) {
      throw faultOf(error)
    }
  }

  /** Plays what the other side says; null: nothing. */
  hear(stream: MediaStream | null) {
    this.speaker.srcObject = stream
    if (!stream) this.waitsForClick.set(false)
    else void this.play()
  }

  /** To be called from a click. */
  async play() {
    await this.route()
    try {
      await this.speaker.play()
      this.waitsForClick.set(false)
    } catch (error) {
      // A newer stream interrupts an older play(): only a refusal needs a click.
      if (error instanceof DOMException && error.name === 'NotAllowedError') this.waitsForClick.set(true)
    }
  }

  ring(on: boolean) {
    if (!on) {
      this.ringer.pause()
      return
    }
    if (!this.ringer.paused) return
    this.ringtone ??= URL.createObjectURL(new Blob([ringtone()], { type: 'audio/wav' }))
    this.ringer.src = this.ringtone
    this.ringer.loop = true
    void this.route()
    // Without a click on this page so far the browser keeps it silent: the card and the notification tell.
    this.ringer.play().catch(() => undefined)
  }

  private async route() {
    const { speaker, ringer, volume } = this.preferences.get()
    this.ringer.volume = volume
    if (!canChooseSpeaker) return
    // A device that is gone: the default stays.
    await this.speaker.setSinkId(speaker).catch(() => undefined)
    await this.ringer.setSinkId(ringer).catch(() => undefined)
  }
}

/** Loudness of a stream, for as long as it is not closed. */
export class Meter {
  private readonly context = new AudioContext()
  private readonly analyser = this.context.createAnalyser()
  private readonly samples: Float32Array<ArrayBuffer>

  /** `window`: how many of the newest samples are looked at; a power of two. */
  constructor(stream: MediaStream, window = 2048) {
    this.analyser.fftSize = window
    this.samples = new Float32Array(this.analyser.fftSize)
    this.context.createMediaStreamSource(stream).connect(this.analyser)
    void this.context.resume()
  }

  get rate() { return this.context.sampleRate }

  /** The newest samples. */
  read(): Float32Array {
    this.analyser.getFloatTimeDomainData(this.samples)
    return this.samples
  }

  level(): number { return level(this.read()) }

  close() { void this.context.close() }
}

export function stop(stream: MediaStream | null) {
  for (const track of stream?.getTracks() ?? []) track.stop()
}

function faultOf(error: unknown): MicrophoneFault {
  const name = error instanceof DOMException ? error.name : ''
  if (name === 'NotAllowedError' || name === 'SecurityError') return 'refused'
  return name === 'NotFoundError' || name === 'OverconstrainedError' ? 'missing' : 'busy'
}

function stored(): Preferences {
  try {
    return { ...STANDARD, ...(JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Preferences>) }
  } catch {
    return STANDARD
  }
}
