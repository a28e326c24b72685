// What the rules would do, as the server says it, and what its linter finds; asked while somebody types.
import { Alert } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useQuery } from '@tanstack/react-query'

import type { LintFinding, QueueDocument } from '../../api/admin'
import { admin } from '../../api/admin-client'
import { Badge, useFaultWords, type Tone } from '../../kit'
import { useQueuesWords } from '../../texts/admin/queues'

/** Typing rests for so long before it is asked, ms. */
const REST = 400
const TONES: Record<LintFinding['level'], Tone> = { stop: 'bad', warn: 'warn', note: 'plain' }

export function Preview({ name, draft }: { name: string; draft: QueueDocument }) {
  const words = useQueuesWords()
  const faultWords = useFaultWords()
  const [settled] = useDebouncedValue(draft, REST)
  // A new one has no name yet, and its rules do not depend on it.
  const called = name || 'new'
  const { data, error, isFetching } = useQuery({
    queryKey: ['preview', called, settled], queryFn: () => admin.preview(called, settled), placeholderData: keepPreviousData, retry: false, staleTime: 60_000,
  })
  return (
    <aside className="preview" aria-label={words.happens}>
      <h2>{words.happens}</h2>
      <div aria-live="polite" aria-busy={isFetching}>
        {error ? <Alert color="red" variant="outline">{faultWords(error)}</Alert> : data ? (
          <>
            <p className="sentence">{data.sentence}</p>
            <h3>{words.findings}</h3>
            {data.findings.length === 0 ? <p className="good">✓ {words.noFindings}</p> : (
              <ul className="findings">
                {data.findings.map((finding) => (
                  <li key={finding.rule + finding.where + finding.what}><Badge tone={TONES[finding.level]}>{words.levels[finding.level]}</Badge><span>{finding.what}
                    {finding.where && <span className="soft small"> ({finding.where})</span>}</span></li>
                ))}
              </ul>
            )}
          </>
        ) : <p className="soft">{words.asking}</p>}
      </div>
    </aside>
  )
}
