// What a simulation found: before and after in figures, by queue, with examples and a timeline.
import { Table } from '@mantine/core'

import type { Example, Simulation } from '../../api/admin'
import { address } from '../../app/route'
import { useDesk } from '../../app/hooks'
import { Card, LocalTable } from '../../kit'
import { may } from '../../logic/mine'
import { useTexts } from '../../texts'
import { useRetentionWords } from '../../texts/admin/retention'
import { Id } from '../records/shared'

import { Timeline } from './Retention'

export function Impact({ of }: { of: Simulation }) {
  const t = useTexts()
  const words = useRetentionWords()
  const { session } = useDesk()
  const n = (value: number) => t.format.figure(value)
  const difference = (value: number, format = n) => (value === 0 ? '0' : `${value > 0 ? '+' : '−'}${format(Math.abs(value))}`)
  const queues = [...new Set([...of.now.byQueue, ...of.proposed.byQueue].map(({ queue }) => queue))].sort()
  const at = (side: Simulation['now'], queue: string) => side.byQueue.find((one) => one.queue === queue) ?? { recordings: 0, calls: 0 }
  return (
    <Card title={words.simulation}>
      <div className="stack">
        <p className="soft" role="status">{words.took(`${t.format.figure(of.tookMs / 1000, 1)} s`)}</p>
        <Table className="plain" aria-label={words.simulation}>
          <Table.Thead><Table.Tr><Table.Td /><Table.Th ta="right">{words.now}</Table.Th><Table.Th ta="right">{words.proposed}</Table.Th><Table.Th ta="right">{words.difference}</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>
            {(['recordings', 'bytes', 'calls', 'rows', 'held'] as const).map((key) => {
              const format = key === 'bytes' ? t.format.bytes : n
              const more = of.proposed[key] - of.now[key]
              return (
                <Table.Tr key={key}>
                  <Table.Th scope="row">{words.impact[key]}</Table.Th><Table.Td ta="right">{format(of.now[key])}</Table.Td><Table.Td ta="right">{format(of.proposed[key])}</Table.Td>
                  <Table.Td ta="right" className={more > 0 && key !== 'held' ? 'bad' : undefined}><strong>{difference(more, format)}</strong></Table.Td>
                </Table.Tr>
              )
            })}
          </Table.Tbody>
        </Table>
        {queues.length > 0 && (
          <div>
            <h3>{words.byQueue}</h3>
            <Table className="plain" aria-label={words.byQueue}>
              <Table.Thead><Table.Tr><Table.Th>{words.queue}</Table.Th><Table.Th ta="right">{words.recordings}</Table.Th><Table.Th ta="right">{words.difference}</Table.Th>
                <Table.Th ta="right">{words.calls}</Table.Th><Table.Th ta="right">{words.difference}</Table.Th></Table.Tr></Table.Thead>
              <Table.Tbody>
                {queues.map((queue) => {
                  const [was, is] = [at(of.now, queue), at(of.proposed, queue)]
                  return (
                    <Table.Tr key={queue}>
                      <Table.Th scope="row">{queue}</Table.Th><Table.Td ta="right">{n(is.recordings)}</Table.Td><Table.Td ta="right">{difference(is.recordings - was.recordings)}</Table.Td>
                      <Table.Td ta="right">{n(is.calls)}</Table.Td><Table.Td ta="right">{difference(is.calls - was.calls)}</Table.Td>
                    </Table.Tr>
                  )
                })}
              </Table.Tbody>
            </Table>
          </div>
        )}
        <div>
          <h3>{words.examples}</h3>
          {of.sooner.length === 0 ? <p className="soft">{words.noExamples}</p> : (
            <LocalTable<Example> label={words.examples} file="retention-examples" prefix="ex-" rows={of.sooner} rowKey={({ recording, call }) => recording + call} columns={[
              { key: 'at', label: words.at, nowrap: true, cell: (one) => t.format.date(one.at), value: (one) => one.at },
              { key: 'queue', label: words.queue, cell: ({ queue }) => queue, value: ({ queue }) => queue },
              { key: 'goes', label: words.goesAt, nowrap: true, cell: ({ goesAt }) => t.format.date(goesAt), value: ({ goesAt }) => goesAt },
              { key: 'sentence', label: words.sentence, cell: ({ sentence }) => sentence, value: ({ sentence }) => sentence },
              { key: 'recording', label: words.recording, cell: ({ recording }) => (may(session, 'listen-recordings') && recording
                ? <a href={address('recordings', [recording])}><Id id={recording} /></a> : <Id id={recording} />), value: ({ recording }) => recording },
            ]} />
          )}
        </div>
        <Timeline days={of.timeline} title={words.after} />
      </div>
    </Card>
  )
}
