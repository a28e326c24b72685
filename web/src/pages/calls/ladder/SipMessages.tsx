// The card of a call's page (`{may(session, 'monitor') && <SipMessages id={id} />}`) that shows its SIP messages.
import { useQuery } from '@tanstack/react-query'

import { admin } from '../../../api/admin-client'
import { Card } from '../../../kit'
import { Read } from '../../records/shared'

import { LadderDiagram } from './LadderDiagram'
import { useLadderWords } from './texts'

export function SipMessages({ id }: { id: string }) {
  const words = useLadderWords()
  const { data, error } = useQuery({ queryKey: ['ladder', id], queryFn: () => admin.ladder(id), staleTime: 0 })
  return (
    <Card title={words.ladder}>
      <p className="soft" style={{ marginBottom: 10 }}>{words.ladderLead}</p>
      <Read data={data} error={error}>{(ladder) => (
        ladder.messages.length === 0 ? <p className="soft">{words.noLadder}</p> : <LadderDiagram ladder={ladder} />
      )}</Read>
    </Card>
  )
}
