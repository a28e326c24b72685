// What the administrators' pages and the server say to one another; `types.ts` says the rest and the rules (faults are
// problem+json, times are RFC 3339 in UTC, changes carry `X-Sayso: 1`). Machines bring `Authorization: Bearer sayso_…`
// instead of a cookie and need no X-Sayso. The OpenAPI document is served at GET /openapi.json, Swagger UI at /api/docs.
//
// Lists: `?after=CURSOR` goes on, `?limit=N` (1 to 500; 50) rows, `?sort=oldest` turns them round (the latest first is
// usual), `?format=csv` gives all that the filter finds as text/csv (UTF-8, RFC 4180; cells that a spreadsheet would
// compute begin with an apostrophe). Filters are named at each. `since` and `until` are RFC 3339.
// A user limited to queues sees calls, consents, recordings and figures of those alone.
import type { Note, Right, Role } from './types'

// ---- settings. A document has the keys of the apply file (README), spans as text ("20s", "90d"). Each kind of
// trunks, numbers, queues, agents, roles, users, webhooks, providers:
// GET    /{kind}                 -> Page<Named<Document>>     `q` finds in names; all rows come at once
// GET    /{kind}/{name}          -> Document, ETag            404 no-object
// PUT    /{kind}/{name} Document -> 200 | 201 Document, ETag  `If-Match: ETAG` to change, `If-None-Match: *` to make;
//        428 version-needed, 412 changed (somebody else was faster: read again), 422 bad-settings {errors}, 409 refused
// DELETE /{kind}/{name}          -> 204                       with If-Match; 422 bad-settings: others refer to it
//        409 keeps-recordings: a queue that keeps something longer than the system would; `?confirm=true` says that it is meant
// and one of all:
// GET    /system                 -> SystemDocument, ETag
// PUT    /system SystemDocument  -> SystemDocument, ETag
// An ETag is never given twice, so that an object which was removed and made again is another one. The system is there always: with
// ETag "0" until it is set. `errors[].key` is a key of the document ("consent.yes"; "" is the whole), or, where something else would
// be wrong by the change, one of the apply file ("number.100.queue"). 409 refused: nobody would be left with manage-roles, or who asks
// would remove oneself. What somebody's `only-queues` do not name is not there for them (404), or not theirs to change (403).
// Read beside who may change: queues by who sets prompts, trunks, agents or users, agents and roles by who manages users. /system:
// `retention-…` takes configure-recording, the rest configure-system. A `must-change: true` holds at once, with the
// old password too; a new password has to be changed at the next log-in unless `must-change` is false (as a document that was read may
// say: leave it out).
// Passwords and secrets go in and never come out: `password`, `digest.password`, `outbound.password`, `secret`,
// `client-secret`; without them the stored one stays. Rights: configure-trunks (trunks, numbers), configure-queues or
// configure-recording (queues: each may change only its part, else 403 no-right), configure-agents, manage-users (users; `role`,
// `grants`, `only-queues` of others only with manage-roles, which nobody can give to oneself), manage-roles (roles, providers), configure-system.
export interface Named<T> { name: string; version: string; document: T }
export type Kind = 'trunks' | 'numbers' | 'queues' | 'agents' | 'roles' | 'users' | 'webhooks' | 'providers'
export interface SettingsProblem { status: 422; title: 'bad-settings'; detail: string; errors: { key: string; what: string }[] }
export interface QueueDocument {
  language?: string
  recording?: 'never' | 'always' | 'consent'
  'legal-basis'?: { obligation: string } | { contract: string }
  consent?: { yes?: string; no?: string; attempts?: number; timeout?: string; 'barge-in'?: boolean; ask?: string }
  'override-allowed'?: boolean
  'pause-limit'?: string
  'destroy-on-withdrawal'?: boolean
  'on-recording-failure'?: 'continue' | 'drop-call'
  /** "90d", "forever"; absent: as the system says. */
  retention?: string
  'file-removal'?: string
  strategy?: 'longest-idle' | 'round-robin' | 'ring-all'
  /** Only agents with all of these get its calls. */
  skills?: string[]
  priority?: number
  'ring-timeout'?: string
  'wrap-up'?: string
  'max-wait'?: string
  overflow?: 'hangup' | { queue: string }
  /** When it is open, in the system's time zone: { mon: ["08:00-12:00", "13:00-17:30"], ... }; absent: always. */
  hours?: Partial<Record<'mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat' | 'sun', string[]>>
  /** Days ("2026-12-25") on which it is closed. */
  closed?: string[]
  /** What callers get outside its hours: the prompt `closed` and the end, or another queue. */
  'when-closed'?: 'hangup' | { queue: string }
  'position-every'?: string
  'service-seconds'?: number
}
// POST /trunks/{name}/test                     -> TrunkTest        OPTIONS to its server, 12 s at most; 404 no-object, 409 no-server, not-now
export interface TrunkTest { ok: boolean; status: number | null; milliseconds: number | null; what: string }
export interface TrunkDocument {
  networks?: string[]; digest?: { user: string; password?: string }
  'max-calls'?: number; 'calls-per-second'?: number; region?: string; codecs?: string[]; srtp?: 'off' | 'optional' | 'required'
  'in-band-digits'?: boolean; 'release-path'?: boolean
  outbound?: { server: string; user?: string; password?: string; register?: boolean; 'caller-id'?: string; prefixes?: string[] }
}
export interface NumberDocument { queue: string; language?: string }
export interface AgentDocument {
  'display-name'?: string; password?: string; queues?: string[]; skills?: string[]; codecs?: string[]
  srtp?: string; media?: string; 'three-way-code'?: string; 'complete-code'?: string; 'return-code'?: string
}
export interface RoleDocument { description?: string; rights?: Right[] }
export interface UserDocument {
  'display-name'?: string; role: Role | string; password?: string; 'must-change'?: boolean; agent?: string; language?: string
  grants?: Right[]; 'only-queues'?: string[]
}
export interface WebhookDocument { url: string; secret?: string; events?: string[]; enabled?: boolean }
export interface ProviderDocument {
  'display-name'?: string; issuer: string; 'client-id': string; 'client-secret'?: string; scopes?: string[]
  'user-claim'?: string; 'role-claim'?: string; roles?: string[]; 'make-users'?: boolean
}
export interface SystemDocument {
  'time-zone'?: string
  'retention-calls'?: string; 'retention-recordings'?: string; 'retention-reporting'?: string
  'password-longer-than'?: number; 'password-history'?: number; 'password-expires'?: string; 'lock-after'?: number; 'lock-for'?: string
  'session-idle'?: string; 'session-absolute'?: string; 'second-factor'?: 'optional' | 'required'
  'audit-off'?: string[]; 'anchor-every'?: string; 'anchor-to'?: string[]
  'second-approver'?: boolean; 'keep-reports'?: string
  /** Private networks and addresses that webhooks may reach; only a superuser changes them. */
  'webhook-networks'?: string[]
}
// POST /queues/{name}/preview  QueueDocument   -> PolicyPreview    right as PUT; nothing is stored. The name may be new
// POST /settings/check {kind, name, document}  -> {errors}         what PUT would say; kind as in the path, or "system"
export interface PolicyPreview { sentence: string; findings: LintFinding[] }
/** What the consent-flow linter finds; `stop` should not go live, `warn` deserves a thought. */
export interface LintFinding { level: 'stop' | 'warn' | 'note'; rule: string; where: string; what: string }
// GET  /default-roles                          -> {name, rights}[] the fixed ones, and all rights with their sentences
export interface DefaultRoles { roles: { name: Role; rights: Right[] }[]; rights: { right: Right; what: string; special: boolean }[] }

// ---- sign-on
// POST /session takes `code` beside user and password: 401 code-needed asks for it (a second factor, or a recovery code);
//        401 wrong-code counts as a wrong password does. Where the system asks for a second factor and there is none, all
//        but /session… answers 403 add-second-factor-first. In a session by a provider, password and second factor are the
//        provider's matter: 409 no-password
// GET    /sign-on                              -> SignOn           without a session: what the log-in page offers
// GET    /sign-on/{provider}                   -> 302              to the provider; back at /api/v1/sign-on/{provider}/callback
// GET    /sign-on/{provider}/callback          -> 302              to the pages, with a session, or `/#/log-in?fault=TITLE`:
//        no-provider, provider-away, sign-on-late (took more than 10 minutes, or another browser), sign-on-refused (the provider
//        says no), sign-on-failed (not to be believed), no-user, no-role, bad-name, other-person, too-many, unavailable,
//        no-url (nobody said in `[desktop]` where browsers reach us)
// POST   /session/second-factor {password}     -> SecondFactor     begins; 409 has-one, 422 wrong-password, 423 locked
// PUT    /session/second-factor {code}         -> RecoveryCodes    it is on; 409 not-begun | has-one, 422 wrong-code
// DELETE /session/second-factor {password}     -> 204              422 wrong-password, 423 locked
// GET    /session/list                         -> MySession[]      own sessions
// DELETE /session/list/{id}                    -> 204              404 no-session
export interface SignOn { providers: { name: string; displayName: string }[]; passwordLongerThan: number }
export interface SecondFactor { secret: string; uri: string }
export interface RecoveryCodes { codes: string[] }
export interface MySession { id: string; createdAt: string; usedAt: string; current: boolean; by: string }
// Session (types.ts) has more fields now: secondFactor: boolean, mustAddSecondFactor: boolean, queues: string[] | null,
// passwordExpiresAt: string | null, by: string (`password`, or the provider's name)
// With manage-users; 404 no-user:
// each is 403 no-right for somebody with rights or queues that one has not, the last for oneself
// POST   /users/{name}/unlock                  -> 204
// DELETE /users/{name}/sessions                -> 204              all end, and the tokens that the user made
// DELETE /users/{name}/second-factor           -> 204
// GET    /users/{name}/state                   -> UserState
export interface UserState { lockedUntil: string | null; failures: number; sessions: number; secondFactor: boolean; lastLogIn: string | null }
// With configure-system; a token has at most the rights of who makes it, and never manage-roles, dpo or customer-consent:
// GET    /tokens                               -> Page<Token>
// POST   /tokens {name, rights, days, password} -> 201 {token: Token, secret}     shown once; at most 365 days; 422 bad-name | bad-rights | bad-days
//        | wrong-password, 423 locked; the password is one's own, null in a session by a provider
// DELETE /tokens/{id}                          -> 204
export interface Token { id: string; name: string; by: string; rights: Right[]; createdAt: string; expiresAt: string; usedAt: string | null; revokedAt: string | null }

// ---- calls, with view-calls
// GET  /calls?since&until&queue&agent&number&state&q&after&limit&sort  -> Page<Call>  number: the last digits (3 or more);
//      state: running, ended, abandoned, restricted (dpo alone sees these); q: in notes and attached data (needs since; 92 days at most)
// GET  /calls/{id}                             -> CallDetail       404 no-call
// GET  /calls/{id}/ladder                      -> Ladder           with monitor alone: its SIP messages, without bodies and numbers;
//      of a call that goes on those so far; none are kept: no messages. Of a long call those in the middle are left out (`cut`)
// PUT  /calls/{id}/data  Record<string,string> -> 204              with take-calls, of one's own calls, or with view-calls too; attached data: at most 32 keys (letters, digits, . _ -), 1,000 characters each; 422 bad-data, 409 not-now
/** Lifelines are `sayso`, `trunk NAME`, `agent NAME`, `supervisor`, `outside`. */
export interface Ladder { lines: string[]; messages: { at: string; from: string; to: string; what: string; cseq: string; body: string | null; leg: number }[]; cut: boolean }
export interface Call {
  id: string; arrivedAt: string; queue: string; firstQueue: string; caller: string | null; dialled: string; trunk: string | null
  agent: string | null; connectedAt: string | null; endedAt: string | null; endCause: string | null
  basis: string | null; basisDetail: string | null; recordings: number; anonymised: boolean; restricted: boolean
}
export interface CallDetail extends Call {
  language: string
  legs: { n: number; direction: string; agent: string | null; outside: string | null; trunk: string | null; dialledAt: string; connectedAt: string | null; endedAt: string | null; cause: string | null; mos: number | null; loss: number | null; jitterMs: number | null }[]
  events: { at: string; kind: string; agent: string | null; queue: string | null; detail: string | null; note: string | null }[]
  consents: Consent[]
  recordingList: { id: string; state: string; seconds: number | null }[]
  notes: Note[]
  data: Record<string, string>
}

// ---- recordings: types.ts has list and audio. Beside them, with listen-recordings:
// GET  /recordings/{id}/why                    -> Whys             why it is still here, or why it went
// GET  /recordings/{id}/waveform               -> Waveform         1,000 peaks of each side, 0 to 1; listening is opened as by /audio, and refused as there; 413 too-large
// `Recording` has more: hold: boolean, restricted: boolean, removesAt: string | null, agent: string | null. More filters: until, agent, hold=true, limit, sort.
export interface Whys { sentence: string; rule: string; clock: { from: string; keep: string; at: string } | null; holds: Hold[]; history: { at: string; what: string; by: string }[] }
export interface Waveform { seconds: number; caller: number[]; agent: number[] }
// With manage-holds:
// GET    /holds?active=true&after&limit&sort   -> Page<Hold>       a list as all others; who is limited to queues sees those of theirs
// POST   /holds {on, reason, until?}           -> 201 Hold         on: {recording} | {call} | {number} | {queue, since, until}; 422 bad-hold, bad-reason; 409 gone
// DELETE /holds/{id} {reason}                  -> 204              404 no-hold; 409 over. DELETE /recordings/{id}: 409 held while a hold is on it
// In `Whys` reasons and numbers of holds are empty for who may not manage holds.
export interface Hold { id: string; on: { kind: 'recording' | 'call' | 'number' | 'queue'; id: string; since: string | null; until: string | null }; reason: string; by: string; at: string; until: string | null; releasedAt: string | null; releasedBy: string | null }

// ---- retention, with configure-recording
// GET  /retention                              -> RetentionView
// POST /retention/simulation {system?: {calls?, recordings?, reporting?}, queues?: Record<string, {retention?: string | null, "file-removal"?: string | null, removed?: boolean}>}
//                                              -> Simulation       what would go if this were in force, beside what goes anyway; 422 bad-rule. `removed`: the queue goes
// What is due, held and what was removed are those of the queues one sees.
export interface RetentionView { rules: { queue: string | null; calls: string; recordings: string; from: 'system' | 'queue'; sentence: string }[]; reporting: string; lagSeconds: number; lastRun: string | null; removedToday: number; due: number; held: number; timeline: TimelineDay[] }
export interface TimelineDay { day: string; recordings: number; calls: number }
export interface Simulation { now: Impact; proposed: Impact; sooner: Example[]; timeline: TimelineDay[]; tookMs: number }
export interface Impact { recordings: number; bytes: number; calls: number; rows: number; held: number; byQueue: { queue: string; recordings: number; calls: number }[] }
export interface Example { recording: string; call: string; queue: string; at: string; goesAt: string; sentence: string }

// ---- consents
// GET  /consents?since&until&queue&answer&number&after&limit&sort   -> Page<Consent>    view-consents
// GET  /reports/consents?since&until&queue&by=day|queue|question  -> ConsentReport    view-reports
// GET  /reports/calls?since&until&queue&by=day|queue|hour         -> CallReport       view-reports
//      Both: 30 days before now if nothing is said, at most 400. waitSeconds and talkSeconds are sums over all calls of the row.
// With customer-consent:
// POST /consents/export  {number? , since?, until?}                 -> text/csv         audited
// POST /consents/withdraw {number, reason}                          -> {withdrawn: n, told: n}   also calls that go on: told are those on other nodes
// POST /consents/reset {number?: string, all?: true, reason}        -> {reset: n, exported: TASK}   exports first; callers are asked again
export interface Consent { call: string; at: string; queue: string; caller: string | null; answer: string; agreed: boolean; digit: string | null; channel: string | null; question: string | null; language: string | null; reset: boolean }
export interface ConsentReport { rows: { key: string; asked: number; given: number; refused: number; wrongKeys: number; silent: number; hungUp: number; withdrawn: number }[]; total: ConsentReport['rows'][number] }
export interface CallReport { rows: { key: string; offered: number; answered: number; abandoned: number; recorded: number; waitSeconds: number; talkSeconds: number; serviceLevel: number | null }[]; total: CallReport['rows'][number] }

// ---- audit log, with view-audit-log
// A page of /audit may have fewer rows than its limit, none even, and still a `next`: so many rows were looked through for what no index finds. `q`: a whole number (+49…), or text.
// GET  /audit?class&since&until&object&action&actor&q&after&limit&sort  -> Page<AuditRow>   reading it is audited once an hour for each reader
// GET  /audit/export?...                       -> application/jsonl    whole rows with hashes, as `sayso audit verify --file` reads them
// POST /audit/verify                           -> AuditVerdict     runs to its end; a million rows take seconds; 409 not-now: somebody else's runs
// GET  /audit/anchors?after                    -> Page<Anchor>
// POST /audit/anchors                          -> 201 Anchor[]     now: one for each place; 409 no-place, not-now
export interface AuditRow { seq: number; at: string; class: string; actor: string; action: string; object: { kind: string; id: string; attribute: string | null }; about: string | null; old: string | null; new: string | null; erased: boolean }
export interface AuditVerdict { whole: boolean; rows: number; head: string; tookMs: number; fault: { seq: number; what: string } | null; anchors: { checked: number; fault: string | null } }
export interface Anchor { seq: number; hash: string; at: string; to: string; state: 'anchored' | 'failed'; what: string | null }
// Listening log: types.ts has GET /listening-log; more filters: since, until, who, call, recording.

// ---- webhooks, with configure-system
// GET  /webhooks/{name}/deliveries?after       -> Page<Delivery>
// POST /webhooks/{name}/test                   -> Delivery         sends one event `test` now
// POST /webhooks/{name}/deliveries/{id}/retry  -> 204
export interface Delivery { id: string; event: string; at: string; attempts: number; state: 'waiting' | 'delivered' | 'failed'; status: number | null; what: string | null; next: string | null }

// ---- people's data, with dpo
// POST /privacy/search {number?, email?, name?, since?, until?}  -> Found    at least one of the first three; 422 too-short (3 digits, 3 letters); audited
// POST /privacy/tasks {kind, selection, reason, password?}        -> 201 Task  see Task; report, zip, erase, restrict, unrestrict, move
// GET  /privacy/tasks?after                    -> Page<Task>
// GET  /privacy/tasks/{id}                     -> Task
// GET  /privacy/tasks/{id}/file                -> text/csv | application/zip | application/json (certificate); audited
// POST /privacy/tasks/{id}/approve             -> Task             another user with dpo than who asked; 409 own
// POST /privacy/tasks/{id}/refuse {reason}     -> Task
// GET  /privacy/directory?q&after              -> Page<Entry>
// POST /privacy/directory  text/csv            -> {added, changed, errors: {line, what}[]}   columns: list, name, number, email, note
// DELETE /privacy/directory/{id}               -> 204
export interface Found { calls: { total: number; items: Call[] }; consents: { total: number; items: Consent[] }; recordings: { total: number; items: { id: string; call: string; state: string; at: string }[] }; entries: { total: number; items: Entry[] }; tooMany: boolean; tookMs: number }
export interface Selection { calls: string[]; consents: boolean; entries: string[] }
export type TaskKind = 'report' | 'zip' | 'erase' | 'restrict' | 'unrestrict' | 'move' | 'consents'
export interface Task { id: string; kind: TaskKind; state: 'waiting-for-approval' | 'waiting' | 'running' | 'done' | 'failed' | 'refused'; by: string; at: string; approvedBy: string | null; reason: string; progress: { done: number; total: number }; what: string | null; endedAt: string | null; expiresAt: string | null; hasFile: boolean; counts: { calls: number; recordings: number; consents: number; entries: number } }
export interface Entry { id: string; list: string; name: string; number: string | null; email: string | null; note: string | null; at: string }

// ---- health, with monitor (jobs and alarms: also manage-vault, types.ts)
// GET  /nodes                                  -> Node[]
// GET  /overview                               -> Overview         any of wallboard, monitor, view-reports, configure-*: what each may see; the rest is 0 or empty
export interface Node { id: string; version: string; since: string; seenAt: string; calls: number; draining: boolean; here: boolean }
export interface Overview { alarms: { kind: string; what: string; since: string }[]; callsNow: number; today: { offered: number; answered: number; recorded: number; consentGiven: number; consentAsked: number }; recordings: { stored: number | null; countedAt: string | null; waiting: number; failed: number }; retention: { due: number; lagSeconds: number }; tasks?: number | null; audit: { rows: number; anchoredAt: string | null }; findings: { queue: string; level: string; what: string }[] }

// ---- prompts, with configure-prompts. A prompt is QUEUE~LANGUAGE~NAME, or LANGUAGE~NAME for all queues;
// music has the language zxx. Rights for some queues change these queues' own alone
// GET    /prompts                              -> Prompt[]         shipped, of a folder, imported; `missing`: English is played
// GET    /prompts/{id}/audio?version=SHA256    -> audio/wav        16 kHz, for hearing
// POST   /prompts/{id}/preview  audio octets   -> PromptCheck      any common format; nothing is stored
// PUT    /prompts/{id}          audio octets   -> 200 | 201 PromptCheck   stored and in force; If-Match: the imported version, else If-None-Match; 422 bad-audio
// POST   /prompts/{id}/restore {version}       -> 204
// DELETE /prompts/{id}                         -> 204              the shipped one, or that for all queues, holds again
// PUT    /prompts/{id}/text {text}             -> 204              what is spoken (the linter reads it)
export interface Prompt { id: string; queue: string | null; language: string; name: string; source: 'shipped' | 'folder' | 'imported' | 'missing'; seconds: number | null; lufs: number | null; text: string | null; version: string | null; versions: { version: string; at: string; by: string }[]; usedBy: string[] }
export interface PromptCheck { version: string; seconds: number; lufs: number; peak: number; clipped: boolean; silenceStart: number; silenceEnd: number; converted: string; warnings: string[] }
