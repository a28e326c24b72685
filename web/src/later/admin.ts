// What the server does not do yet, and what it shall be asked then: a part of `api/admin.ts`, whose rules hold here.

// ---- prompts, with configure-prompts. A prompt is QUEUE~LANGUAGE~NAME, or LANGUAGE~NAME for all queues
// GET    /prompts                              -> Prompt[]         shipped and imported; `missing` ones too
// GET    /prompts/{id}/audio?version=SHA256    -> audio/wav        16 kHz, for hearing
// POST   /prompts/{id}/preview  audio octets   -> PromptCheck      any common format; nothing is stored
// PUT    /prompts/{id}          audio octets   -> 200 | 201 PromptCheck   stored and in force; If-Match as settings; 422 bad-audio
// POST   /prompts/{id}/restore {version}       -> 204
// DELETE /prompts/{id}                         -> 204              the shipped one, or that for all queues, holds again
// PUT    /prompts/{id}/text {text}             -> 204              what is spoken (the linter reads it)
export interface Prompt { id: string; queue: string | null; language: string; name: string; source: 'shipped' | 'imported' | 'missing'; seconds: number | null; lufs: number | null; text: string | null; version: string | null; versions: { version: string; at: string; by: string }[]; usedBy: string[] }
export interface PromptCheck { version: string; seconds: number; lufs: number; peak: number; clipped: boolean; silenceStart: number; silenceEnd: number; converted: string; warnings: string[] }
