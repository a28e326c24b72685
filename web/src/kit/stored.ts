// Documents of settings with their versions (RFC 9110 §8.8.3, §13.1).
import { exchange } from '../api/client'

export interface Stored<T> { document: T; version: string | null }

export async function readDocument<T>(path: string): Promise<Stored<T>> {
  const response = await exchange('GET', path)
  return { document: (await response.json()) as T, version: response.headers.get('ETag') }
}

/** `version` null: it is new, and there must be none yet. */
export async function writeDocument<T>(path: string, document: T, version: string | null): Promise<Stored<T>> {
  const response = await exchange('PUT', path, document, version === null ? { 'If-None-Match': '*' } : { 'If-Match': version })
  return { document: (await response.json()) as T, version: response.headers.get('ETag') }
}
