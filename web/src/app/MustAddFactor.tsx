import { Button, Loader, Stack } from '@mantine/core'
import { lazy, Suspense } from 'react'

import { useTexts } from '../texts'
import { useAccountWords } from '../texts/admin/account'

import { Brand, LanguageMenu } from './menus'

const AddSecondFactor = lazy(async () => ({ default: (await import('../pages/account/SecondFactor')).AddSecondFactor }))

/** The system asks everybody for a second factor, and there is none yet: nothing else before it. */
export function MustAddFactor({ onDone, onLogOut }: { onDone(): void; onLogOut(): void }) {
  const t = useTexts()
  const words = useAccountWords()
  return (
    <main className="page">
      <div className="card narrow">
        <Stack>
          <div className="apart"><Brand /><LanguageMenu /></div>
          <h1>{words.must}</h1>
          <p className="soft">{words.mustLead}</p>
          <Suspense fallback={<Loader size="sm" />}><AddSecondFactor onDone={onDone} /></Suspense>
          <Button variant="subtle" onClick={onLogOut}>{t.nav.logout}</Button>
        </Stack>
      </div>
    </main>
  )
}
