// Anchors of the chain's head, written elsewhere so that a cut end is noticed.
import { Button } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'

import type { Anchor } from '../../api/admin'
import { admin } from '../../api/admin-client'
import { tell, useDesk } from '../../app/hooks'
import { Badge, Card, ServerTable, useFaultWords } from '../../kit'
import { useTexts } from '../../texts'
import { useAuditWords } from '../../texts/admin/audit'

const PATH = '/audit/anchors'

/** In words: at which row, where it was put, and where it could not be put and why. */
const told = (words: ReturnType<typeof useAuditWords>, seq: string, anchors: Anchor[]) => {
  const put = anchors.filter(({ state }) => state === 'anchored').map(({ to }) => to)
  const not = anchors.filter(({ state }) => state === 'failed').map(({ to, what }) => (what ? `${to} (${what})` : to))
  return [put.length > 0 && words.anchored(seq, put.join(', ')), not.length > 0 && words.notAnchored(not.join(', '))].filter(Boolean).join(' ')
}

export function Anchors() {
  const t = useTexts()
  const words = useAuditWords()
  const { session } = useDesk()
  return (
    <Card title={words.anchors}>
      <p className="soft" style={{ marginBottom: 12 }}>{words.anchorsLead}</p>
      <ServerTable<Anchor> path={PATH} prefix="anchor-" label={words.anchors} empty={words.noAnchors} rowKey={({ seq, to, at }) => `${seq} ${to} ${at}`} tools={session.rights.includes('configure-system') && <AnchorNow />} columns={[
        { key: 'at', label: words.at, time: true, nowrap: true, cell: ({ at }) => t.format.seconds(at) },
        { key: 'seq', label: words.seq, right: true, cell: ({ seq }) => t.format.figure(seq) },
        { key: 'to', label: words.to, cell: ({ to }) => <span className="free">{to}</span> },
        { key: 'state', label: words.state, cell: ({ state, what }) => <><Badge tone={state === 'anchored' ? 'good' : 'bad'}>{words.states[state]}</Badge>{what && <div className="soft">{what}</div>}</> },
        { key: 'hash', label: words.hash, cell: ({ hash }) => <span className="hash">{hash}</span> },
      ]} />
    </Card>
  )
}

function AnchorNow() {
  const t = useTexts()
  const words = useAuditWords()
  const faultWords = useFaultWords()
  const queries = useQueryClient()
  const [busy, setBusy] = useState(false)
  const run = async () => {
    setBusy(true)
    try {
      const anchors = await admin.anchorNow()
      tell(t, told(words, t.format.figure(anchors[0]?.seq ?? 0), anchors), anchors.some(({ state }) => state === 'failed'))
    } catch (error) {
      tell(t, faultWords(error), true)
    }
    void queries.invalidateQueries({ queryKey: ['list', PATH] })
    setBusy(false)
  }
  return <Button size="xs" loading={busy} onClick={() => { void run() }}>{words.anchorNow}</Button>
}
