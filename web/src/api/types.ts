// What the server and the pages say to one another: the one list of routes and shapes. `src/api/view.rs` and
// `src/api/routes/` are the other side. Times are RFC 3339 in UTC, spans are seconds.
//
// Every route is below /api/v1. A session is the cookie `sayso`
// (`__Host-sayso` where there is TLS). Requests that change something carry the header
// `X-Sayso: 1` (no other site's page can send it without our leave: CSRF). Faults are problem+json (RFC 9457):
// {status, title, detail}, `title` is a stable word, `detail` a sentence. Everywhere: 401 not-logged-in,
// 403 change-password-first | no-right | no-agent (the user is no agent) | not-from-here (CSRF),
// 400 bad-request, 404 no-route, 405 no-method, 408 too-slow, 413 too-large, 415 not-json, 503 unavailable.
// 503 busy (searches, reports, simulations: two at once of all of them), with Retry-After in seconds.

// ---- session
// POST   /session           {user, password}          -> Session        401 wrong, 423 locked (detail: until when),
//        429 too-many failures from this address, 503 busy. Five failures lock a name for 30 minutes.
//        A user has at most 16 sessions: with one more the one that was not used for longest ends.
// GET    /session                                     -> Session
// DELETE /session                                     -> 204            logs out, its SIP credential ends, and
//        this user takes part in no conversation as a supervisor any more
// PUT    /session/password  {old, new}                -> 204            422 too-short | too-long | used-before |
//        wrong-password (the old one), 423 locked. The user's other sessions end, this one goes on.
export interface Session {
  user: string
  name: string
  /** One of the fixed roles, or the name of one of the house's own. */
  role: string
  rights: Right[]
  /** The agent this user is, if any: it takes calls. */
  agent: string | null
  /** Nothing but PUT /session/password is allowed before. */
  mustChangePassword: boolean
  language: string | null
  /** How this session began: `password`, or the provider's name. */
  by: string
  /** Whether a code of a second device is asked at log-in. */
  secondFactor: boolean
  /** The system asks for one and there is none: nothing but adding it (and the password) is allowed before. */
  mustAddSecondFactor: boolean
  /** The queues it is limited to; null: all. */
  queues: string[] | null
  passwordExpiresAt: string | null
  server: { version: string; now: string }
}
export type Role =
  | 'superuser' | 'supervisor' | 'agent' | 'reporting' | 'queue-administrator'
  | 'ivr-administrator' | 'recording-administrator' | 'advanced-monitoring'
export type Right =
  | 'take-calls' | 'override' | 'wallboard' | 'listen-live' | 'whisper' | 'barge' | 'view-listening-logs'
  | 'listen-recordings' | 'export-recordings' | 'destroy-recordings' | 'manage-vault'
  | 'view-calls' | 'view-reports' | 'view-consents' | 'view-audit-log'
  | 'configure-queues' | 'configure-recording' | 'configure-prompts' | 'configure-trunks' | 'configure-agents'
  | 'manage-users' | 'manage-roles' | 'configure-system' | 'manage-holds' | 'monitor' | 'dpo' | 'customer-consent'

// ---- the phone
// POST /phone                                         -> Phone          a fresh SIP credential, ends with the session
export interface Phone {
  /** Where to speak SIP over WebSocket: `wss://host/sip`. */
  websocket: string
  uri: string
  user: string
  password: string
  expires: string
  iceServers: { urls: string[]; username?: string; credential?: string }[]
  /** Called for the media self-test: answers and sends back what it hears. */
  selfTest: string
}

// ---- what goes on
// GET /events   Server-sent events. `snapshot` first, then changes; after a lost connection, missed changes or
// other rights a snapshot again. 429 too-many: a session has at most 8 streams.
//   event: snapshot  data: Snapshot
//   event: call      data: CallView        (new or changed)
//   event: gone      data: {id}            over, or no longer one that this user sees
//   event: agent     data: AgentView
//   event: queue     data: QueueView
//   event: logged-out data: {}             the session ended; the stream closes
// Who lacks the right `wallboard` is told of own calls, all agents and own queues; the caller's number is whole
// in own calls only, elsewhere its last two digits: "••• 67".
export interface Snapshot { now: string; calls: CallView[]; agents: AgentView[]; queues: QueueView[] }
export type Phase =
  | 'answering' | 'welcome' | 'asking' | 'waiting' | 'ringing' | 'joining' | 'talking'
  | 'transferring' | 'consulting' | 'conference' | 'lost' | 'over'
export interface CallView {
  id: string
  phase: Phase
  arrivedAt: string
  queue: string
  firstQueue: string
  caller: string | null // null: withheld
  /** Since when it waits, while it does. */
  waitingSince: string | null
  connectedAt: string | null
  parties: PartyView[]
  consent: { state: 'undecided' | 'given' | 'refused' | 'withdrawn' | 'not-needed'; at: string | null }
  recording: RecordingView
}
/** Everybody but the caller. */
export interface PartyView {
  leg: number
  kind: 'agent' | 'outside' | 'supervisor'
  /** The agent or user; for `outside` the number. */
  id: string
  name: string
  state: 'dialled' | 'ringing' | 'talking' | 'holding' | 'consulted' | 'lost' | 'listening' | 'whispering' | 'barged'
}
export interface RecordingView {
  state: 'recording' | 'paused' | 'off' | 'starting' | 'failed'
  why: Why
  /** While paused by a press (a hold pauses, too, and has none). */
  pausedAt: string | null
  /** When it goes on by itself. */
  resumesAt: string | null
  /** What the agent in conversation may do now. */
  can: ('pause' | 'resume' | 'override' | 'withdraw')[]
}
export type Why =
  | { kind: 'undecided' }
  | { kind: 'never' }
  | { kind: 'legal'; basis: 'obligation' | 'contract'; detail: string }
  | { kind: 'agreed' | 'agreed-earlier' | 'refused-earlier' | 'withdrawn'; at: string }
  | { kind: 'refused'; answer: 'no' | 'wrong-keys' | 'silence' | 'hung-up'; at: string }
  | { kind: 'override'; by: string; category: Category; at: string }
  /** The caller's answer, or the override that was asked for, could not be stored: neither counts. */
  | { kind: 'not-stored' }
export type Category = 'emergency' | 'legal' | 'business'
export interface AgentView {
  id: string
  name: string
  queues: string[]
  state: 'logged-off' | 'ready' | 'not-ready' | 'ringing' | 'talking' | 'wrap-up'
  since: string
  /** Why not ready; of colleagues, `reason` and `call` are told with the right `wallboard` alone. */
  reason: string | null
  /** Of wrap-up. */
  until: string | null
  call: string | null
}
export interface QueueView {
  id: string
  waiting: number
  longestSince: string | null
  /** Today, since midnight of the server's time zone: calls that began to wait, were connected, gave up. */
  offered: number
  answered: number
  abandoned: number
  /** Share (0 to 1) of answered calls that waited at most `serviceSeconds`. */
  serviceLevel: number | null
  serviceSeconds: number
  ready: number
}

// ---- an agent's own
// PUT  /presence   {ready: true} | {ready: false, reason}   -> 204      ends a wrap-up, too; 422 bad-reason
// GET  /presence/reasons                                    -> string[] the reasons offered
// GET  /directory                                           -> Directory   right take-calls or wallboard
export interface Directory { agents: { id: string; name: string }[]; queues: string[]; outside: boolean }
// GET  /my/calls?before=CURSOR                               -> Page<PastCall>     own calls, the latest first
// GET  /my/listening-log?before=CURSOR                       -> Page<Listening>    own entries
// GET  /listening-log?before=CURSOR                          -> Page<Listening>    right view-listening-logs
export interface Page<T> { items: T[]; next: string | null }
export interface PastCall {
  id: string
  arrivedAt: string
  queue: string
  caller: string | null
  connectedAt: string | null
  endedAt: string | null
  endCause: string | null
  why: { basis: string | null; detail: string | null }
  recordings: { id: string; state: string; seconds: number | null }[]
  notes: Note[]
}
export interface Note { at: string; by: string; text: string }
export interface Listening {
  at: string
  who: string
  call: string | null
  recording: string | null
  kind: 'recording' | 'live'
  /** Of live listening. */
  mode: SuperviseMode | null
  reason: string | null
}

// ---- recordings. 404 has the title no-recording. With the right `listen-recordings`:
// GET  /recordings?since=RFC3339&queue=NAME&call=ID&state=WORD&after=CURSOR -> Page<Recording>   the latest first; numbers are
//        not told here. 422 bad-filter
// GET  /recordings/{id}                                -> Recording
// POST /recordings/{id}/listening  {reason?}           -> 201 Listens    the listening log has its row when this answers; one
//        for a session and a recording as long as it is used (30 minutes without a request end it), and one more for each other
//        reason. 422 bad-reason (1 to 1,000 characters), 428 reason-needed, and what /audio refuses
// GET  /recordings/{id}/audio                          -> audio/wav or audio/ogg, with ranges (RFC 9110 §14), ETag, HEAD;
//        opens listening by itself where no reason is asked. 409 not-whole (armed, recording), failed (detail: why), elsewhere
//        (still in another node's spool), 410 destroyed, 416 bad-range, 428 reason-needed (POST /listening first),
//        429 too-many (8 streams a session), 500 damaged, 503 store-away. What is damaged further on breaks the connection
//        off; so does a client that takes nothing for 60 s. With `encryption = "store"` the whole is compared with the
//        SHA-256 that was stored (its ETag); of a range it is known only that size and version are those that were stored
// With the right `export-recordings`, audited with what was taken out:
// GET  /recordings/{id}/vcon                           -> application/vcon, a JWS; what /audio refuses (428: POST
//        /listening with the reason first), 413 too-large (16 MiB of audio), 503 busy
// With the right `destroy-recordings`:
// DELETE /recordings/{id}          {reason}            -> 202 Recording  its key is gone when this answers, its copies are
//        removed by a job; 410 destroyed (it is already), 409 not-whole (nothing was captured), 422 bad-reason
// With one of the last two, or `manage-vault`:
// GET  /recordings/{id}/certificate                    -> Certificate    404 no-certificate: not removed yet
export type RecordingState =
  | 'armed' | 'recording' | 'finished' | 'stored' | 'discarded' | 'failed' | 'destroyed' | 'removed'
export interface Recording {
  id: string
  call: string
  /** The call's first queue. */
  queue: string
  state: RecordingState
  basis: string
  basisDetail: string | null
  armedAt: string
  startedAt: string | null
  endedAt: string | null
  storedAt: string | null
  destroyedAt: string | null
  removedAt: string | null
  /** Put right after a crash. */
  salvaged: boolean
  seconds: number | null
  /** `pcm16`, `ulaw`, `alaw`, `opus`. */
  format: string
  /** Silence that stands for something; seconds from the start. */
  gaps: { start: number; seconds: number; channel: number | null; why: string }[]
  /** The reason of its last change. That of its destruction is a person's text: only with `destroy-recordings`. */
  why: string | null
  /** Whether there is audio to be heard. */
  playable: boolean
  /** A legal hold keeps it. */
  hold: boolean
  restricted: boolean
  /** When a rule removes it; null: none does, or it is held, or gone. */
  removesAt: string | null
  /** Who spoke with the caller last. */
  agent: string | null
}
/** When this listening began; it goes on while it is used. */
export interface Listens { recording: string; since: string }
/** A signed deletion certificate, as `sayso certificate verify` reads it. */
export interface Certificate {
  certificate: Record<string, unknown>
  algorithm: 'Ed25519'
  public_key: string
  signature: string
}

// ---- the vault. With the right `manage-vault`:
// GET  /jobs?after=CURSOR                              -> Jobs           what waits to be done, the oldest first
// POST /jobs/{id}/retry                                -> 204            due now; 404 no-job
// GET  /alarms                                         -> Alarm[]
// GET  /reconciliations?after=CURSOR                   -> Page<Reconciliation>   the latest first
// GET  /reconciliations/{id}?after=CURSOR              -> ReconciliationReport   404 no-report
// POST /reconciliations           {}                   -> 202            one that waits or runs already is taken
// POST /reconciliations/{id}/orphans  {name, reason}   -> 204            removes an object that the report found to belong to
//        nothing; 404 no-orphan, 409 not-now (it belongs to a recording by now), locked, 422 bad-reason, 503 store-away
export interface Jobs extends Page<VaultJob> { kinds: { kind: string; waiting: number; running: number; failing: number; oldest: string | null }[] }
export interface VaultJob {
  id: string
  kind: string
  /** What it is about: a recording's id, mostly. */
  subject: string
  spool: string | null
  attempts: number
  due: string
  created: string
  leasedBy: string | null
  leasedUntil: string | null
  error: string | null
  progress: { done: number; total: number } | null
}
export interface Alarm { kind: string; what: string; since: string }
export interface Reconciliation {
  id: string
  beganAt: string
  endedAt: string | null
  by: string
  state: 'running' | 'ended' | 'failed'
  counts: Record<string, unknown> | null
  /** Why it gave up. */
  why: string | null
}
export interface ReconciliationReport extends Reconciliation { findings: Page<Finding> }
/** Who dealt with it, and when, if somebody did. */
export interface Finding { kind: string; subject: string; detail: string; resolvedAt: string | null; resolvedBy: string | null }

// ---- commands of a call: POST /calls/{id}/…  -> 204: the call follows it; what has to be stored first (an override)
//   may still fail: `recording.state` and `why` of the next CallView tell, `off` and `not-stored`. 404 no such call (or not yours), 409 with a title:
//   not-now (the call is elsewhere by now), refused (by policy), no-target (it leads nowhere); 422 bad-number,
//   bad-reason (of an override: 1 to 1,000 characters), bad-note (1 to 4,000 characters); 404 has the title no-call
// POST /calls/{id}/transfer      {to: Target}              blind
// POST /calls/{id}/consult       {to: Target}              attended, first half: by the server, on the same phone line
// POST /calls/{id}/complete                                attended, second half
// POST /calls/{id}/three-way
// POST /calls/{id}/end-consultation                        back to the caller
// POST /calls/{id}/recording/pause | resume | withdraw
// POST /calls/{id}/recording/override {category, reason}
// POST /calls/{id}/notes         {text}                    also after the call, own calls; at most 100 a call (409)
// POST /calls/{id}/supervise     {mode}                    the supervisor's phone is called and joins
// PUT  /calls/{id}/supervise     {mode}                    another mode
// DELETE /calls/{id}/supervise
export type Target = { queue: string } | { agent: string } | { number: string }
export type SuperviseMode = 'listen' | 'whisper' | 'barge'
export interface Problem { status: number; title: string; detail: string }

// The server calls the agent's phone. A page knows by `GET /events` why: for a call in phase `lost` with itself
// as the lost party, and for its own `supervise`, it answers without asking. The INVITE carries the call's id in
// the header `X-Sayso-Call`, and in `X-Sayso-Purpose`: `offer` (a caller from the queue), `consult` (a
// colleague asks), `transfer`, `reattach`, `supervise`.
