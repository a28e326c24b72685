// Where callers go who cannot be served: nowhere, or to another queue.
import { Choice, Choices } from '../../kit'
import { useQueuesWords } from '../../texts/admin/queues'

type End = 'hangup' | { queue: string } | undefined

export function WhereTo({ label, hangup, value, queues, onChange, error }: {
  label: string; hangup: string; value: End; queues: string[]; onChange(value: End): void; error?: string
}) {
  const words = useQueuesWords()
  const queue = typeof value === 'object' ? value.queue : undefined
  return (
    <Choices label={label} error={error} value={queue === undefined ? 'hangup' : 'queue'}
      onChange={(kind) => { onChange(kind === 'hangup' ? undefined : { queue: queues[0] ?? '' }) }}
      options={[{ value: 'hangup', label: hangup }, ...(queues.length > 0 || queue !== undefined ? [{ value: 'queue' as const, label: words.ends.queue }] : [])]}
      below={queue !== undefined && (
        <Choice label={words.ends.queue} value={queue} options={queues.map((one) => ({ value: one, label: one }))} onChange={(next) => { if (next) onChange({ queue: next }) }} />
      )} />
  )
}
