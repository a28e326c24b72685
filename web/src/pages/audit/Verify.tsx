// The proof that the log is whole: every link computed anew, the anchors compared.
import { Alert, Button, Loader } from '@mantine/core'
import { useState } from 'react'

import type { AuditVerdict } from '../../api/admin'
import { request } from '../../api/client'
import { Card, useFaultWords } from '../../kit'
import { useTexts } from '../../texts'
import { useAuditWords } from '../../texts/admin/audit'

export function Verify() {
  const words = useAuditWords()
  const faultWords = useFaultWords()
  const [verdict, setVerdict] = useState<AuditVerdict | null>(null)
  const [fault, setFault] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const run = async () => {
    setBusy(true)
    setFault(null)
    setVerdict(null)
    try {
      setVerdict(await request<AuditVerdict>('POST', '/audit/verify'))
    } catch (error) {
      setFault(faultWords(error))
    }
    setBusy(false)
  }
  return (
    <Card title={words.verify}>
      <div className="stack">
        <p className="soft">{words.verifyLead}</p>
        <div className="row"><Button onClick={() => { void run() }} loading={busy}>{words.verify}</Button></div>
        <div role="alert">{fault && <Alert color="red" variant="outline">{fault}</Alert>}</div>
        <div role="status">
          {busy ? <div className="row"><Loader size="sm" />{words.verifying}</div> : verdict ? <Verdict of={verdict} /> : <span className="soft">{words.notVerified}</span>}
        </div>
      </div>
    </Card>
  )
}

function Verdict({ of }: { of: AuditVerdict }) {
  const t = useTexts()
  const words = useAuditWords()
  const whole = of.whole && of.fault === null && of.anchors.fault === null
  return (
    <div className="verdict" data-whole={whole}>
      <strong>{whole ? words.whole : words.broken}</strong>
      <span>{words.rows(t.format.figure(of.rows), t.format.milliseconds(of.tookMs))}</span>
      {of.fault && <span><strong>{words.faultAt(t.format.figure(of.fault.seq))}</strong>: {of.fault.what}</span>}
      <span>{words.anchorsChecked(t.format.figure(of.anchors.checked))}</span>
      {of.anchors.fault && <span><strong>{words.anchorFault}</strong>: {of.anchors.fault}</span>}
      <span className="hash">{words.head}: {of.head}</span>
    </div>
  )
}
