// Tasks of data protection: how far they are, their approval by a second person, and their files.
import { Button } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'

import type { Task } from '../../api/admin'
import { request } from '../../api/client'
import { useDesk } from '../../app/hooks'
import { Badge, Card, ConfirmButton, PageFrame, ServerTable, Work, type Tone } from '../../kit'
import { useTexts } from '../../texts'
import { usePrivacyWords } from '../../texts/admin/privacy'

const PATH = '/privacy/tasks'
/** Progress is seen as it goes, ms. */
const EVERY = 3000
const TONES: Record<Task['state'], Tone> = {
  'waiting-for-approval': 'warn', 'waiting': 'plain', 'running': 'plain', 'done': 'good', 'failed': 'bad', 'refused': 'bad',
}

export default function Tasks() {
  const t = useTexts()
  const words = usePrivacyWords()
  return (
    <PageFrame title={words.tasks} lead={words.tasksLead}>
      <Card label={words.tasks}>
        <ServerTable<Task> path={PATH} label={words.tasks} rowKey={({ id }) => id} empty={words.noTasks} every={EVERY} columns={[
          { key: 'at', label: words.at, time: true, nowrap: true, cell: ({ at }) => t.format.moment(at) },
          { key: 'kind', label: words.kind, cell: ({ kind, reason }) => <><strong>{words.kinds[kind]}</strong><div className="soft free">{reason}</div></> },
          { key: 'counts', label: words.counts, cell: ({ counts }) => words.countsOf(counts.calls, counts.recordings, counts.consents, counts.entries) },
          { key: 'by', label: words.by, cell: ({ by, approvedBy }) => <>{by}{approvedBy && <div className="soft">{words.approvedBy} {approvedBy}</div>}</> },
          { key: 'state', label: words.state, cell: ({ state, what }) => <><Badge tone={TONES[state]}>{words.states[state]}</Badge>{what && <div className="soft free">{what}</div>}</> },
          { key: 'progress', label: words.progress, cell: ({ state, progress, kind }) => state === 'running' && <Work label={words.progressOf(words.kinds[kind])} {...progress} /> },
          { key: 'file', label: words.file, cell: (task) => <Result task={task} /> },
        ]} />
      </Card>
    </PageFrame>
  )
}

function Result({ task }: { task: Task }) {
  const t = useTexts()
  const words = usePrivacyWords()
  if (task.state === 'waiting-for-approval') return <Approval task={task} />
  if (!task.hasFile) return <>{words.none}</>
  const expired = task.expiresAt !== null && Date.parse(task.expiresAt) < Date.now()
  if (expired) return <span className="soft">{words.expired}</span>
  const label = ['erase', 'move'].includes(task.kind) ? words.certificate : words.download
  return (
    <>
      <Button component="a" size="xs" variant="default" download href={`/api/v1${PATH}/${encodeURIComponent(task.id)}/file`}
        aria-label={words.downloadOf(words.kinds[task.kind], t.format.moment(task.at))}>{label}</Button>
      {task.expiresAt && <div className="soft small">{words.expires(t.format.date(task.expiresAt))}</div>}
    </>
  )
}

function Approval({ task }: { task: Task }) {
  const words = usePrivacyWords()
  const { session } = useDesk()
  const queries = useQueryClient()
  const path = `${PATH}/${encodeURIComponent(task.id)}`
  const changed = () => { void queries.invalidateQueries({ queryKey: ['list', PATH] }) }
  const said = words.countsOf(task.counts.calls, task.counts.recordings, task.counts.consents, task.counts.entries)
  if (task.by === session.user) return <span className="soft">{words.own}</span>
  return (
    <div className="row">
      <ConfirmButton label={words.approve} title={words.approveTitle(words.kinds[task.kind])} confirm={words.approveConfirm} danger done={words.approved} onDone={changed}
        lead={<><p><strong>{said}</strong></p><p>{words.means[task.kind]}</p><p className="soft">{words.by} {task.by}: {task.reason}</p></>}
        act={() => request<Task>('POST', `${path}/approve`, {})} />
      <ConfirmButton label={words.refuse} title={words.refuseTitle(words.kinds[task.kind])} confirm={words.refuseConfirm} reason done={words.refused} onDone={changed}
        lead={words.refuseLead} act={(reason) => request<Task>('POST', `${path}/refuse`, { reason })} />
    </div>
  )
}
