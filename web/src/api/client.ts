// Requests to the server. Faults come as `Fault`, with the problem's title.
import type {
  CallView, Category, Directory, Listening, Page, PastCall, Phone, Problem, Session, SuperviseMode, Target,
} from './types'

export class Fault extends Error {
  /** `status` 0: the server could not be reached. `errors`: what is wrong at which key, of settings that were refused. */
  constructor(
    readonly status: number, readonly title: string, detail: string, readonly errors: { key: string; what: string }[] = [],
  ) { super(detail) }
}

/** Told when an answer says that nobody is logged in (any more). */
let loggedOut: () => void = () => {}
export function onLoggedOut(tell: () => void) { loggedOut = tell }

/** `body`: JSON, or octets as they are (a `Blob`). */
export async function exchange(
  method: string, path: string, body?: unknown, more: Record<string, string> = {},
): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json', ...more }
  if (method !== 'GET') headers['X-Sayso'] = '1'
  const octets = body instanceof Blob
  if (body !== undefined && !headers['Content-Type']) {
    headers['Content-Type'] = octets ? body.type || 'application/octet-stream' : 'application/json'
  }
  let response: Response
  try {
    response = await fetch(`/api/v1${path}`, {
      method, headers, credentials: 'same-origin', cache: 'no-store',
      ...(body === undefined ? {} : { body: octets || typeof body === 'string' ? body : JSON.stringify(body) }),
    })
  } catch (error) {
    throw new Fault(0, 'network', String(error))
  }
  if (!response.ok) throw await faultOf(response, path)
  return response
}

export async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await exchange(method, path, body)
  return response.status === 204 ? (undefined as T) : ((await response.json()) as T)
}

async function faultOf(response: Response, path: string): Promise<Fault> {
  if (response.status === 401 && !path.startsWith('/session')) loggedOut()
  try {
    const problem = (await response.json()) as Partial<Problem & { errors: { key: string; what: string }[] }>
    return new Fault(response.status, problem.title ?? '', problem.detail ?? response.statusText, problem.errors)
  } catch {
    return new Fault(response.status, '', response.statusText)
  }
}

const cursor = (before: string | null) => (before ? `?before=${encodeURIComponent(before)}` : '')
const call = (id: CallView['id'], what: string) => `/calls/${encodeURIComponent(id)}/${what}`

export const api = {
  session: () => request<Session>('GET', '/session'),
  logIn: (user: string, password: string) => request<Session>('POST', '/session', { user, password }),
  logOut: () => request<void>('DELETE', '/session'),
  changePassword: (old: string, fresh: string) => request<void>('PUT', '/session/password', { old, new: fresh }),
  phone: () => request<Phone>('POST', '/phone'),
  presence: (to: { ready: true } | { ready: false; reason: string }) => request<void>('PUT', '/presence', to),
  reasons: () => request<string[]>('GET', '/presence/reasons'),
  directory: () => request<Directory>('GET', '/directory'),
  myCalls: (before: string | null) => request<Page<PastCall>>('GET', `/my/calls${cursor(before)}`),
  myListening: (before: string | null) => request<Page<Listening>>('GET', `/my/listening-log${cursor(before)}`),
  allListening: (before: string | null) => request<Page<Listening>>('GET', `/listening-log${cursor(before)}`),
  transfer: (id: string, to: Target) => request<void>('POST', call(id, 'transfer'), { to }),
  consult: (id: string, to: Target) => request<void>('POST', call(id, 'consult'), { to }),
  complete: (id: string) => request<void>('POST', call(id, 'complete')),
  threeWay: (id: string) => request<void>('POST', call(id, 'three-way')),
  back: (id: string) => request<void>('POST', call(id, 'end-consultation')),
  recording: (id: string, what: 'pause' | 'resume' | 'withdraw') => request<void>('POST', call(id, `recording/${what}`)),
  override: (id: string, category: Category, reason: string) =>
    request<void>('POST', call(id, 'recording/override'), { category, reason }),
  note: (id: string, text: string) => request<void>('POST', call(id, 'notes'), { text }),
  supervise: (id: string, mode: SuperviseMode) => request<void>('POST', call(id, 'supervise'), { mode }),
  superviseAs: (id: string, mode: SuperviseMode) => request<void>('PUT', call(id, 'supervise'), { mode }),
  stopSupervising: (id: string) => request<void>('DELETE', call(id, 'supervise')),
}
