// Requests of the administrators' pages (`admin.ts` says what they are). Lists go by `kit`'s ServerTable, documents by its
// useDocument.
import type {
  Anchor, AuditVerdict, CallDetail, CallReport, ConsentReport, DefaultRoles, Delivery, Found, Hold, Kind, Ladder, MySession, Named, Node, Overview,
  PolicyPreview, Prompt, PromptCheck, QueueDocument, RecoveryCodes, RetentionView, SecondFactor, Selection, SignOn, Simulation, Task, TaskKind, Token,
  TrunkTest, UserState, Waveform, Whys,
} from './admin'
import { exchange, request } from './client'
import type { Alarm, Page, Right, Session } from './types'

/** A part of a path. */
const part = encodeURIComponent
const jsonOf = async <T>(response: Response) => (await response.json()) as T

export const kindPath = (kind: Kind, name: string) => `/${kind}/${part(name)}`

export const admin = {
  // ---- settings
  all: <T>(kind: Kind) => request<Page<Named<T>>>('GET', `/${kind}`),
  preview: (queue: string, document: QueueDocument) => request<PolicyPreview>('POST', `/queues/${part(queue)}/preview`, document),
  check: (kind: Kind | 'system', name: string, document: object) =>
    request<{ errors: { key: string; what: string }[] }>('POST', '/settings/check', { kind, name, document }),
  testTrunk: (name: string) => request<TrunkTest>('POST', `/trunks/${part(name)}/test`),
  defaultRoles: () => request<DefaultRoles>('GET', '/default-roles'),
  overview: () => request<Overview>('GET', '/overview'),
  nodes: () => request<Node[]>('GET', '/nodes'),
  alarms: () => request<Alarm[]>('GET', '/alarms'),

  // ---- sign-on
  signOn: () => request<SignOn>('GET', '/sign-on'),
  logIn: (user: string, password: string, code?: string) => request<Session>('POST', '/session', { user, password, ...(code ? { code } : {}) }),
  beginSecondFactor: (password: string) => request<SecondFactor>('POST', '/session/second-factor', { password }),
  confirmSecondFactor: (code: string) => request<RecoveryCodes>('PUT', '/session/second-factor', { code }),
  removeSecondFactor: (password: string) => request<void>('DELETE', '/session/second-factor', { password }),
  mySessions: () => request<MySession[]>('GET', '/session/list'),
  endMySession: (id: string) => request<void>('DELETE', `/session/list/${part(id)}`),
  userState: (name: string) => request<UserState>('GET', `/users/${part(name)}/state`),
  unlock: (name: string) => request<void>('POST', `/users/${part(name)}/unlock`),
  endSessions: (name: string) => request<void>('DELETE', `/users/${part(name)}/sessions`),
  dropSecondFactor: (name: string) => request<void>('DELETE', `/users/${part(name)}/second-factor`),
  tokens: () => request<Page<Token>>('GET', '/tokens'),
  makeToken: (name: string, rights: Right[], days: number, password: string | null) => request<{ token: Token; secret: string }>('POST', '/tokens', { name, rights, days, password }),
  revokeToken: (id: string) => request<void>('DELETE', `/tokens/${part(id)}`),

  // ---- webhooks
  /** As many as come at once. */
  deliveries: (name: string, after: string | null) => request<Page<Delivery>>('GET', `/webhooks/${part(name)}/deliveries?limit=500${after ? `&after=${part(after)}` : ''}`),
  testWebhook: (name: string) => request<Delivery>('POST', `/webhooks/${part(name)}/test`),
  retryDelivery: (name: string, id: string) => request<void>('POST', `/webhooks/${part(name)}/deliveries/${part(id)}/retry`),

  // ---- calls and recordings
  call: (id: string) => request<CallDetail>('GET', `/calls/${part(id)}`),
  ladder: (id: string) => request<Ladder>('GET', `/calls/${part(id)}/ladder`),
  callData: (id: string, data: Record<string, string>) => request<void>('PUT', `/calls/${part(id)}/data`, data),
  why: (id: string) => request<Whys>('GET', `/recordings/${part(id)}/why`),
  waveform: (id: string) => request<Waveform>('GET', `/recordings/${part(id)}/waveform`),
  addHold: (hold: { on: object; reason: string; until?: string }) => request<Hold>('POST', '/holds', hold),
  releaseHold: (id: string, reason: string) => request<void>('DELETE', `/holds/${part(id)}`, { reason }),

  // ---- retention and consents
  retention: () => request<RetentionView>('GET', '/retention'),
  simulate: (rules: object) => request<Simulation>('POST', '/retention/simulation', rules),
  consentReport: (query: string) => request<ConsentReport>('GET', `/reports/consents${query}`),
  callReport: (query: string) => request<CallReport>('GET', `/reports/calls${query}`),
  exportConsents: async (body: object) => (await exchange('POST', '/consents/export', body, { Accept: 'text/csv' })).blob(),
  withdrawConsents: (number: string, reason: string) => request<{ withdrawn: number; told: number }>('POST', '/consents/withdraw', { number, reason }),
  resetConsents: (body: { number?: string; all?: true; reason: string }) => request<{ reset: number; exported: string }>('POST', '/consents/reset', body),

  // ---- audit log
  verifyAudit: () => request<AuditVerdict>('POST', '/audit/verify'),
  anchorNow: () => request<Anchor[]>('POST', '/audit/anchors'),

  // ---- people's data
  search: (what: { number?: string; email?: string; name?: string; since?: string; until?: string }) => request<Found>('POST', '/privacy/search', what),
  makeTask: (kind: TaskKind, selection: Selection, reason: string, password?: string) =>
    request<Task>('POST', '/privacy/tasks', { kind, selection, reason, ...(password ? { password } : {}) }),
  task: (id: string) => request<Task>('GET', `/privacy/tasks/${part(id)}`),
  taskFile: (id: string) => `/api/v1/privacy/tasks/${part(id)}/file`,
  approveTask: (id: string) => request<Task>('POST', `/privacy/tasks/${part(id)}/approve`, {}),
  refuseTask: (id: string, reason: string) => request<Task>('POST', `/privacy/tasks/${part(id)}/refuse`, { reason }),
  importDirectory: async (csv: Blob) =>
    jsonOf<{ added: number; changed: number; errors: { line: number; what: string }[] }>(await exchange('POST', '/privacy/directory', csv, { 'Content-Type': 'text/csv' })),
  removeEntry: (id: string) => request<void>('DELETE', `/privacy/directory/${part(id)}`),

  // ---- prompts
  prompts: () => request<Prompt[]>('GET', '/prompts'),
  promptAudio: (id: string, version: string | null) => `/api/v1/prompts/${part(id)}/audio${version ? `?version=${part(version)}` : ''}`,
  previewPrompt: async (id: string, audio: Blob) => jsonOf<PromptCheck>(await exchange('POST', `/prompts/${part(id)}/preview`, audio)),
  putPrompt: async (id: string, audio: Blob, version: string | null) =>
    jsonOf<PromptCheck>(await exchange('PUT', `/prompts/${part(id)}`, audio, version === null ? { 'If-None-Match': '*' } : { 'If-Match': `"${version}"` })),
  restorePrompt: (id: string, version: string) => request<void>('POST', `/prompts/${part(id)}/restore`, { version }),
  removePrompt: (id: string) => request<void>('DELETE', `/prompts/${part(id)}`),
  promptText: (id: string, text: string) => request<void>('PUT', `/prompts/${part(id)}/text`, { text }),
}
