// What the parts of the stand-in server share.
import { createHash } from 'node:crypto'

export const at = (seconds = 0) => new Date(Date.now() + seconds * 1000).toISOString()
export const problem = (status, title, detail = title, more = {}) => ({ status, body: { status, title, detail, ...more } })
export const noContent = { status: 204 }
export const json = (body, status = 200, headers = {}) => ({ status, body, headers })
export const etagOf = (document) => `"${createHash('sha256').update(JSON.stringify(document)).digest('hex').slice(0, 16)}"`

/** Rows as the server gives them: `limit`, `after`, `sort=oldest`, `format=csv`. Rows come the latest first. */
export function listing(rows, url) {
  const query = url.searchParams
  const ordered = query.get('sort') === 'oldest' ? [...rows].reverse() : rows
  if (query.get('format') === 'csv') {
    const keys = Object.keys(ordered[0] ?? {})
    const cell = (value) => `"${String(value ?? '').replaceAll('"', '""')}"`
    const text = [keys, ...ordered.map((row) => keys.map((key) => row[key]))].map((row) => row.map(cell).join(',')).join('\r\n')
    return { status: 200, body: `${text}\r\n`, headers: { 'Content-Type': 'text/csv; charset=utf-8', 'Content-Disposition': 'attachment; filename="list.csv"' } }
  }
  const from = Number(query.get('after') ?? 0)
  const limit = Number(query.get('limit') ?? 50)
  return json({ items: ordered.slice(from, from + limit), next: from + limit < ordered.length ? String(from + limit) : null })
}
