// The card of a call's page (`{may(session, 'monitor') && <SipMessages id={id} />}`) that shows its SIP messages.
import { useQuery } from '@tanstack/react-query'

import { Fault } from '../../api/client'
import { Card } from '../../kit'
import { Read } from '../../pages/records/shared'
import type { Ladder } from '../admin'
import { later } from '../client'

import { LadderDiagram } from './LadderDiagram'
import { useLadderWords } from './texts'

export function SipMessages({ id }: { id: string }) {
  const words = useLadderWords()
  const { data, error } = useQuery({
    queryKey: ['ladder', id], retry: false,
    queryFn: async (): Promise<Ladder> => {
      try {
        return await later.ladder(id)
      } catch (fault) {
        if (fault instanceof Fault && fault.status === 404) return { lines: [], messages: [], cut: false }
        throw fault
      }
    },
  })
  return (
    <Card title={words.ladder}>
      <p className="soft" style={{ marginBottom: 10 }}>{words.ladderLead}</p>
      <Read data={data} error={error}>{(ladder) => (
        ladder.messages.length === 0 ? <p className="soft">{words.noLadder}</p> : <LadderDiagram ladder={ladder} />
      )}</Read>
    </Card>
  )
}
