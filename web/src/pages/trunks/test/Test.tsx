// Whether a trunk's server is there: OPTIONS, and what it answered.
import { Alert } from '@mantine/core'
import { useState } from 'react'

import type { TrunkTest } from '../../../api/admin'
import { admin } from '../../../api/admin-client'
import { CommandButton } from '../../../app/hooks'

import { useTrunkTestWords } from './texts'

export function Test({ name, hasServer }: { name: string; hasServer: boolean }) {
  const words = useTrunkTestWords()
  const [result, setResult] = useState<TrunkTest | null>(null)
  if (!hasServer) return <p className="soft">{words.noServer}</p>
  return (
    <div className="stack">
      <div><CommandButton variant="default" act={async () => {
        setResult(null)
        setResult(await admin.testTrunk(name))
      }}>{words.test}</CommandButton></div>
      <div role="status">
        {result && (
          <Alert color={result.ok ? 'green' : 'red'} variant="outline" title={result.ok ? words.ok(result.milliseconds) : words.bad}>
            {result.status !== null && `${words.status} ${result.status}. `}{result.what}
          </Alert>
        )}
      </div>
    </div>
  )
}
