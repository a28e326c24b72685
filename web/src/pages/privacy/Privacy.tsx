// People's data: who is asked for, what is known of them, and what shall be done with it.
import { Alert, Button, TextInput } from '@mantine/core'
import { useState } from 'react'

import type { Found } from '../../api/admin'
import { request } from '../../api/client'
import { Card, PageFrame, useFaultWords } from '../../kit'
import { dayAsMoment } from '../../kit/filters'
import { digitsOf } from '../../logic/number'
import { everything, type Picked } from '../../logic/selection'
import { useTexts } from '../../texts'
import { usePrivacyWords } from '../../texts/admin/privacy'

import { Groups } from './Groups'
import { TaskActions } from './TaskActions'

const SHORTEST = 3
interface Wanted { number: string; email: string; name: string; since: string; until: string }
const NOBODY: Wanted = { number: '', email: '', name: '', since: '', until: '' }

/** What is asked stays out of the address: it names a person. */
export default function Privacy() {
  const t = useTexts()
  const words = usePrivacyWords()
  const faultWords = useFaultWords()
  const [wanted, setWanted] = useState(NOBODY)
  const [found, setFound] = useState<Found | null>(null)
  const [picked, setPicked] = useState<Picked | null>(null)
  const [fault, setFault] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)

  const search = async () => {
    const wrong = wrongOf(wanted)
    if (wrong) {
      setFault(words[wrong])
      return
    }
    setBusy(true)
    setFault(null)
    try {
      const found = await request<Found>('POST', '/privacy/search', askOf(wanted))
      setFound(found)
      setPicked(everything(found))
    } catch (error) {
      setFound(null)
      setPicked(null)
      setFault(faultWords(error))
    }
    setBusy(false)
  }
  const field = (name: keyof Wanted, more: { type?: string; description?: string } = {}) => (
    <TextInput label={words[name]} value={wanted[name]} {...more} autoComplete="off" onChange={(event) => { setWanted({ ...wanted, [name]: event.currentTarget.value }) }} />
  )
  const nothing = found && found.calls.total + found.consents.total + found.recordings.total + found.entries.total === 0
  return (
    <PageFrame title={words.title} lead={words.lead}>
      <Card label={words.search}>
        <form role="search" aria-label={words.search} onSubmit={(event) => {
          event.preventDefault()
          void search()
        }}>
          <div className="privacy-search">
            {field('number', { description: words.numberHint })}{field('email')}{field('name')}{field('since', { type: 'date' })}{field('until', { type: 'date' })}
            <Button type="submit" loading={busy}>{words.search}</Button>
          </div>
        </form>
        <div role="alert">{fault && <Alert mt="sm" color="red" variant="outline">{fault}</Alert>}</div>
        <p role="status" className="soft" style={{ marginTop: 8 }}>{busy ? words.searching : found ? (nothing ? words.nothing : words.took(t.format.milliseconds(found.tookMs))) : ''}</p>
        {found?.tooMany && <Alert mt="xs" color="yellow" variant="outline">{words.tooMany}</Alert>}
      </Card>
      {found && picked && !nothing && (
        <>
          <Groups found={found} picked={picked} onPick={setPicked} />
          <TaskActions picked={picked} onPick={setPicked} withConsents={found.consents.total > 0} />
        </>
      )}
    </PageFrame>
  )
}

/** What cannot be asked: nothing at all, or too little of it. */
function wrongOf({ number, email, name }: Wanted): 'missing' | 'tooShort' | null {
  if (![number, email, name].some((one) => one.trim())) return 'missing'
  const short = (text: string) => text.trim() !== '' && [...text.trim()].length < SHORTEST
  return (number.trim() && digitsOf(number) < SHORTEST) || short(email) || short(name) ? 'tooShort' : null
}

function askOf({ number, email, name, since, until }: Wanted) {
  const pairs = { number: number.trim(), email: email.trim(), name: name.trim(), since: dayAsMoment(since, false), until: dayAsMoment(until, true) }
  return Object.fromEntries(Object.entries(pairs).filter(([, value]) => value))
}
