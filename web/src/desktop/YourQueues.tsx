import { Table } from '@mantine/core'

import { Timer, useDesk, useLive } from '../app/hooks'
import { useTexts } from '../texts'

/** The queues the agent serves: is there much to do? */
export function YourQueues() {
  const t = useTexts()
  const { session } = useDesk()
  const live = useLive()
  const own = session.agent ? live.agents.get(session.agent)?.queues ?? [] : []
  const queues = own.flatMap((id) => live.queues.get(id) ?? [])
  if (queues.length === 0) return null
  return (
    <section className="card" aria-label={t.queues.title}>
      <h2>{t.queues.title}</h2>
      <Table className="plain" horizontalSpacing={6}>
        <Table.Thead>
          <Table.Tr><Table.Th>{t.queues.name}</Table.Th><Table.Th ta="right">{t.queues.waiting}</Table.Th><Table.Th ta="right">{t.queues.longest}</Table.Th></Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {queues.map((queue) => (
            <Table.Tr key={queue.id}>
              <Table.Td>{queue.id}</Table.Td>
              <Table.Td ta="right">{queue.waiting}</Table.Td>
              <Table.Td ta="right">{queue.longestSince ? <Timer from={queue.longestSince} /> : t.quality.none}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </section>
  )
}
