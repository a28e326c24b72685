// What can be done with the selection: each makes a task, after a question in plain words.
import { Alert, Button, Checkbox, PasswordInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'

import type { Task, TaskKind } from '../../api/admin'
import { Fault, request } from '../../api/client'
import { address } from '../../app/route'
import { Card, ConfirmDialog } from '../../kit'
import { isEmpty, selectionOf, type Picked } from '../../logic/selection'
import { usePrivacyWords } from '../../texts/admin/privacy'

const KINDS = ['report', 'zip', 'restrict', 'unrestrict', 'move', 'erase'] as const satisfies TaskKind[]
/** What cannot be undone. */
const FINAL: TaskKind[] = ['erase', 'move']

export function TaskActions({ picked, onPick, withConsents }: { picked: Picked; onPick(picked: Picked): void; withConsents: boolean }) {
  const words = usePrivacyWords()
  const [kind, setKind] = useState<(typeof KINDS)[number] | null>(null)
  const [made, setMade] = useState<Task | null>(null)
  const empty = isEmpty(picked)
  return (
    <Card title={words.actions}>
      <div className="stack" style={{ gap: 12 }}>
        <p role="status"><strong>{empty ? words.nothingSelected : words.selectedOf(picked.calls.size, picked.entries.size, picked.consents)}</strong></p>
        {withConsents && <Checkbox label={words.withConsents} checked={picked.consents} onChange={(event) => { onPick({ ...picked, consents: event.currentTarget.checked }) }} />}
        <div className="row">
          {KINDS.map((one) => (
            <Button key={one} variant={one === 'report' ? 'filled' : 'default'} color={FINAL.includes(one) ? 'red' : undefined} disabled={empty}
              {...(FINAL.includes(one) && { variant: 'outline' })} onClick={() => { setKind(one) }}>{words.ask(words.kinds[one])}</Button>
          ))}
        </div>
        <div role="status">{made && (
          <Alert color="green" variant="outline">{words.started} {made.state === 'waiting-for-approval' && words.needsApproval} <a href={address('tasks')}>{words.tasks}</a></Alert>
        )}</div>
      </div>
      {kind && <Ask kind={kind} picked={picked} onClose={() => { setKind(null) }} onMade={setMade} />}
    </Card>
  )
}

function Ask({ kind, picked, onClose, onMade }: { kind: TaskKind; picked: Picked; onClose(): void; onMade(task: Task): void }) {
  const words = usePrivacyWords()
  const queries = useQueryClient()
  const [ticked, setTicked] = useState(false)
  const [password, setPassword] = useState('')
  const final = FINAL.includes(kind)
  return (
    <ConfirmDialog opened onClose={onClose} title={words.titleOf(words.kinds[kind], picked.calls.size, picked.entries.size)} confirm={kind === 'erase' ? words.eraseConfirm : words.start}
      danger={final} reason lead={words.means[kind]} act={async (reason) => {
        if (final && !ticked) throw new Fault(422, 'not-ticked', words.tickMissing)
        onMade(await request<Task>('POST', '/privacy/tasks', { kind, selection: selectionOf(picked), reason, ...(kind === 'zip' && password && { password }) }))
        void queries.invalidateQueries({ queryKey: ['list', '/privacy/tasks'] })
      }}>
      {final && <Checkbox label={words.eraseTick(picked.calls.size, picked.entries.size)} checked={ticked} onChange={(event) => { setTicked(event.currentTarget.checked) }} />}
      {kind === 'zip' && (
        <PasswordInput label={words.password} description={words.passwordHint} value={password} autoComplete="new-password" onChange={(event) => { setPassword(event.currentTarget.value) }} />
      )}
    </ConfirmDialog>
  )
}
