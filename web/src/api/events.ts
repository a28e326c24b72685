// The event stream: keeps it open, folds it into a store.
import { NOTHING, reduce, type Live, type LiveEvent } from '../logic/live'
import { Store } from '../logic/store'

import { api, Fault } from './client'
import type { AgentView, CallView, QueueView, Snapshot } from './types'

/** First wait before a new attempt, ms; doubles up to the second. A reload of a page takes about as long. */
const FIRST_WAIT = 500
const LONGEST_WAIT = 8000

export class LiveStream {
  readonly store = new Store<Live>(NOTHING)
  private source: EventSource | null = null
  private wait = FIRST_WAIT
  private timer: number | undefined

  constructor(private readonly loggedOut: () => void) {}

  start() {
    window.addEventListener('online', this.open)
    window.addEventListener('offline', this.lost)
    this.open()
  }

  stop() {
    window.removeEventListener('online', this.open)
    window.removeEventListener('offline', this.lost)
    window.clearTimeout(this.timer)
    this.source?.close()
    this.source = null
  }

  private readonly open = () => {
    window.clearTimeout(this.timer)
    this.source?.close()
    const source = new EventSource('/api/v1/events', { withCredentials: true })
    this.source = source
    const on = <T>(name: string, event: (data: T) => LiveEvent) => {
      source.addEventListener(name, (message: MessageEvent<string>) => {
        this.fold(event(JSON.parse(message.data) as T))
      })
    }
    on<Snapshot>('snapshot', (snapshot) => {
      this.wait = FIRST_WAIT
      return { type: 'snapshot', snapshot, received: Date.now() }
    })
    on<CallView>('call', (call) => ({ type: 'call', call }))
    on<{ id: string }>('gone', ({ id }) => ({ type: 'gone', id }))
    on<AgentView>('agent', (agent) => ({ type: 'agent', agent }))
    on<QueueView>('queue', (queue) => ({ type: 'queue', queue }))
    source.addEventListener('logged-out', () => {
      this.stop()
      this.loggedOut()
    })
    // The browser would try again by itself, but not after a refusal and not at our pace: one way for both.
    source.onerror = () => {
      source.close()
      this.lost()
      // A stream does not say why it was refused; the session does.
      void api.session().catch((fault: unknown) => {
        if (!(fault instanceof Fault && fault.status === 401)) return
        this.stop()
        this.loggedOut()
      })
      this.timer = window.setTimeout(this.open, this.wait)
      this.wait = Math.min(this.wait * 2, LONGEST_WAIT)
    }
  }

  private readonly lost = () => { this.fold({ type: 'lost' }) }

  private fold(event: LiveEvent) { this.store.set(reduce(this.store.get(), event)) }
}
