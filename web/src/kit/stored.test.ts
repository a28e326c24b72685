import { afterEach, describe, expect, it, vi } from 'vitest'

import { Fault } from '../api/client'
import { readDocument, writeDocument } from './stored'

/** A server with one document; what it was asked with. */
function server(version: string, status = 200) {
  const asked: { method: string; headers: Record<string, string> }[] = []
  vi.stubGlobal('fetch', (_: string, { method, headers }: { method: string; headers: Record<string, string> }) => {
    asked.push({ method, headers })
    const body = status < 300 ? { a: 1 } : { status, title: 'changed', detail: 'Somebody else was faster.' }
    return Promise.resolve(new Response(JSON.stringify(body), { status, headers: { ETag: version } }))
  })
  return asked
}
afterEach(() => { vi.unstubAllGlobals() })

describe('documents', () => {
  it('are read with their version', async () => {
    server('"7"')
    expect(await readDocument('/system')).toEqual({ document: { a: 1 }, version: '"7"' })
  })
  it('are changed only as the version that was read, and made only where there is none', async () => {
    const asked = server('"8"')
    expect((await writeDocument('/system', { a: 1 }, '"7"')).version).toBe('"8"')
    await writeDocument('/queues/new', { a: 1 }, null)
    expect(asked.map(({ headers }) => [headers['If-Match'], headers['If-None-Match'], headers['X-Sayso']])).toEqual([['"7"', undefined, '1'], [undefined, '*', '1']])
  })
  it('tell when somebody else was faster', async () => {
    server('"9"', 412)
    const fault = await writeDocument('/system', { a: 1 }, '"7"').catch((fault: unknown) => fault)
    expect(fault).toBeInstanceOf(Fault)
    expect([(fault as Fault).status, (fault as Fault).title]).toEqual([412, 'changed'])
  })
})
