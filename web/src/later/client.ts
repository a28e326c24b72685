// Requests of `later/admin.ts`; they go to `api/admin-client.ts` with it.
import { exchange, request } from '../api/client'

import type { Prompt, PromptCheck } from './admin'

const part = encodeURIComponent
const jsonOf = async <T>(response: Response) => (await response.json()) as T

export const later = {
  prompts: () => request<Prompt[]>('GET', '/prompts'),
  promptAudio: (id: string, version: string | null) => `/api/v1/prompts/${part(id)}/audio${version ? `?version=${part(version)}` : ''}`,
  previewPrompt: async (id: string, audio: Blob) => jsonOf<PromptCheck>(await exchange('POST', `/prompts/${part(id)}/preview`, audio)),
  putPrompt: async (id: string, audio: Blob, version: string | null) =>
    jsonOf<PromptCheck>(await exchange('PUT', `/prompts/${part(id)}`, audio, version === null ? { 'If-None-Match': '*' } : { 'If-Match': `"${version}"` })),
  restorePrompt: (id: string, version: string) => request<void>('POST', `/prompts/${part(id)}/restore`, { version }),
  removePrompt: (id: string) => request<void>('DELETE', `/prompts/${part(id)}`),
  promptText: (id: string, text: string) => request<void>('PUT', `/prompts/${part(id)}/text`, { text }),
}
