// One tab is the phone: two would answer the same call. A Web Lock says which; the browser frees it when the tab
// closes, crashes or reloads.

const NAME = 'sayso-phone'

export type Holding = 'waiting' | 'ours' | 'elsewhere'

/**
 * Becomes the phone when nobody else is, or as soon as the other tab is gone. `tell` is called with each change:
 * `elsewhere` also when another tab takes it from us.
 */
export class Tab {
  private free: (() => void) | null = null
  private aborter = new AbortController()

  constructor(private readonly tell: (holding: Holding) => void) {}

  start() {
    void navigator.locks.query().then(({ held }) => {
      if (!this.free && held?.some((lock) => lock.name === NAME)) this.tell('elsewhere')
    })
    this.ask({ signal: this.aborter.signal })
  }

  /** Takes it from the other tab; our place in line is given up for it. */
  take() {
    this.aborter.abort()
    this.aborter = new AbortController()
    this.ask({ steal: true })
  }

  stop() {
    this.aborter.abort()
    this.free?.()
    this.free = null
  }

  private ask(options: LockOptions) {
    const { signal } = this.aborter
    const hold = () => new Promise<void>((free) => {
      this.free = free
      this.tell('ours')
    })
    navigator.locks.request(NAME, options, hold).catch((error: unknown) => {
      // Given up by us, or stolen by another tab: then in line behind it.
      if (signal.aborted || !(error instanceof DOMException)) return
      this.free = null
      this.tell('elsewhere')
      this.ask({ signal: this.aborter.signal })
    })
  }
}
