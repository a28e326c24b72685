// Numbers, and the queues they lead to.
import { useMemo } from 'react'

import type { Named, NumberDocument } from '../../api/admin'
import { Choice, SettingsPage, type Column, type FormProps } from '../../kit'
import { useLiveQueues } from '../../kit/names'
import { useNumbersWords } from '../../texts/admin/numbers'
import { LANGUAGES } from '../../kit/languages'

export default function Numbers({ parts }: { parts: string[] }) {
  const words = useNumbersWords()
  const columns = useMemo((): Column<Named<NumberDocument>>[] => [
    { key: 'queue', label: words.names.queue, value: ({ document }) => document.queue, cell: ({ document }) => document.queue },
    { key: 'language', label: words.names.language, value: ({ document }) => document.language ?? words.asQueue, cell: ({ document }) => document.language ?? words.asQueue },
  ], [words])
  return (
    <SettingsPage<NumberDocument> kind="numbers" parts={parts} title={words.title} lead={words.lead} add={words.add} empty={words.empty} columns={columns}
      fresh={{ queue: '' }} names={words.names} mayChange Form={Editor} nameField={{ label: words.number, hint: words.hint, more: '+*#', placeholder: '+358942450001' }} />
  )
}

function Editor({ of, draft }: FormProps<NumberDocument>) {
  const words = useNumbersWords()
  const queues = useLiveQueues()
  return (
    <div className="form-grid">
      <Choice label={words.names.queue} value={draft.queue} error={of.wrong('queue')} none={words.queueMissing} options={queues.map((one) => ({ value: one, label: one }))}
        onChange={(queue) => { of.change({ queue: queue ?? '' }) }} />
      <Choice label={words.names.language} value={draft.language} none={words.asQueue} error={of.wrong('language')} options={LANGUAGES.map((one) => ({ value: one, label: one }))}
        onChange={(language) => { of.change({ language }) }} />
    </div>
  )
}
