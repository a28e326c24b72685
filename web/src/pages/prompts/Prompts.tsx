// Prompts: all of them, and one with its player, versions, text and replacement.
import { Alert, Button, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useMemo, useState } from 'react'

import { address, go } from '../../app/route'
import { Badge, Choice, goodName, LocalTable, NEW, PageFrame, useFaultWords, type Column, type Tone } from '../../kit'
import { LANGUAGES } from '../../kit/languages'
import { useLiveQueues } from '../../kit/names'
import { useTexts } from '../../texts'
import { useKitWords } from '../../texts/admin/kit'
import type { Prompt } from '../../api/admin'
import { admin } from '../../api/admin-client'

import { One } from './One'
import { NO_LANGUAGE, promptId, promptWords } from './prompts'
import { usePromptsWords } from '../../texts/admin/prompts'

const TONES: Record<Prompt['source'], Tone> = { shipped: 'plain', folder: 'plain', imported: 'good', missing: 'bad' }

export default function Prompts({ parts: [id] }: { parts: string[] }) {
  const { data, error } = useQuery({ queryKey: ['prompts'], queryFn: admin.prompts, staleTime: 0 })
  const words = usePromptsWords()
  const faultWords = useFaultWords()
  const queries = useQueryClient()
  if (id === NEW) return <Fresh />
  if (id === undefined) return <All prompts={data} error={error} />
  if (error && !data) return <PageFrame title={id} back={{ label: words.title, page: 'prompts' }}><Alert color="red" variant="outline" role="alert">{faultWords(error)}</Alert></PageFrame>
  return <One key={id} id={id} prompt={data?.find((one) => one.id === id)} read={data !== undefined} onChanged={() => queries.invalidateQueries({ queryKey: ['prompts'] })} />
}

function All({ prompts, error }: { prompts: Prompt[] | undefined; error: unknown }) {
  const t = useTexts()
  const words = usePromptsWords()
  const kit = useKitWords()
  const queries = useQueryClient()
  const columns = useMemo((): Column<Prompt>[] => [
    { key: 'name', label: words.name, value: ({ name }) => promptWords(words, name), cell: ({ id, name }) => <a href={address('prompts', [id])}>{promptWords(words, name)}</a> },
    { key: 'language', label: words.language, value: ({ language }) => language, cell: ({ language }) => (language === NO_LANGUAGE ? <span className="soft">{words.noLanguage}</span> : language) },
    { key: 'queue', label: words.queue, value: ({ queue }) => queue ?? words.forAll, cell: ({ queue }) => queue ?? <span className="soft">{words.forAll}</span> },
    { key: 'source', label: words.source, value: ({ source }) => words.sources[source], cell: ({ source }) => <Badge tone={TONES[source]}>{words.sources[source]}</Badge> },
    { key: 'seconds', label: words.length, right: true, nowrap: true, value: ({ seconds }) => seconds, cell: ({ seconds }) => (seconds === null ? kit.form.none : words.seconds(seconds.toLocaleString(t.format.locale, { maximumFractionDigits: 1 }))) },
    { key: 'lufs', label: words.loudness, right: true, nowrap: true, value: ({ lufs }) => lufs, cell: ({ lufs }) => (lufs === null ? kit.form.none : `${lufs.toLocaleString(t.format.locale, { maximumFractionDigits: 1 })} LUFS`) },
    { key: 'text', label: words.text, value: ({ text }) => text ?? '', cell: ({ text }) => <span className="cut" title={text ?? undefined}>{text}</span> },
    { key: 'usedBy', label: words.usedBy, value: ({ usedBy }) => usedBy.join(', '), cell: ({ usedBy }) => usedBy.join(', ') },
  ], [t, words, kit])
  const filters = useMemo(() => {
    const options = (values: string[]) => [...new Set(values)].sort().map((value) => ({ value, label: value }))
    return [
      { kind: 'choice' as const, name: 'language', label: words.language, options: options((prompts ?? []).map(({ language }) => language)) },
      { kind: 'choice' as const, name: 'queue', label: words.queue, options: [{ value: '*', label: words.forAll }, ...options((prompts ?? []).flatMap(({ queue }) => queue ?? []))] },
      { kind: 'choice' as const, name: 'source', label: words.source, options: Object.entries(words.sources).map(([value, label]) => ({ value, label })) },
    ]
  }, [prompts, words])
  return (
    <PageFrame title={words.title} lead={words.lead} tools={<Button component="a" href={address('prompts', [NEW])}>{words.add}</Button>}>
      <section className="card" aria-label={words.title}>
        <LocalTable<Prompt> label={words.title} file="prompts" rows={prompts} error={error} columns={columns} filters={filters} rowKey={({ id }) => id} empty={words.empty}
          fits={(prompt, filter, value) => (filter === 'queue' ? (prompt.queue ?? '*') === value : prompt[filter as 'language' | 'source'] === value)}
          onRefresh={() => { void queries.invalidateQueries({ queryKey: ['prompts'] }) }} />
      </section>
    </PageFrame>
  )
}

/** Which one: it exists once something is recorded for it. */
function Fresh() {
  const words = usePromptsWords()
  const kit = useKitWords()
  const queues = useLiveQueues()
  const [queue, setQueue] = useState<string | undefined>(undefined)
  const [language, setLanguage] = useState('en')
  const [name, setName] = useState('consent-question')
  const music = name === 'music'
  return (
    <PageFrame title={words.add} lead={words.newLead} back={{ label: words.title, page: 'prompts' }}>
      <form className="card" aria-label={words.add} onSubmit={(event) => {
        event.preventDefault()
        if (goodName(name)) go('prompts', [promptId({ queue: queue ?? null, language: music ? NO_LANGUAGE : language, name })])
      }}>
        <div className="form-grid">
          <Choice label={words.name} value={name} options={Object.entries(words.names).map(([value, label]) => ({ value, label }))} onChange={(next) => { if (next) setName(next) }} />
          <Choice label={words.queue} value={queue} none={words.forAll} options={queues.map((one) => ({ value: one, label: one }))} onChange={setQueue} />
          <TextInput label={words.language} value={music ? words.noLanguage : language} disabled={music} list="languages" maxLength={10} onChange={(event) => { setLanguage(event.currentTarget.value.toLowerCase()) }} />
          <datalist id="languages">{LANGUAGES.map((one) => <option key={one} value={one} />)}</datalist>
        </div>
        <div className="form-end"><Button type="submit" disabled={!music && !/^[a-z]{2,3}(-[a-z0-9]{2,6})?$/.test(language)}>{words.open}</Button><span className="grow" />
          <Button variant="subtle" component="a" href={address('prompts')}>{kit.form.cancel}</Button></div>
      </form>
    </PageFrame>
  )
}

