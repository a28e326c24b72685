// Trunks: the list, one, and the wizard that makes a new one.
import { useMemo } from 'react'

import type { Named, TrunkDocument } from '../../api/admin'
import { Badge, Card, SettingsPage, type Column, type FormProps } from '../../kit'
import { useTrunksWords, type Words } from '../../texts/admin/trunks'

import { Identity, Media, Outbound } from './parts'
import { Test } from './test/Test'
import { useTrunkTestWords } from './test/texts'
import { directionOf } from './trunk'
import { Wizard } from './Wizard'

export default function Trunks({ parts }: { parts: string[] }) {
  const words = useTrunksWords()
  const columns = useMemo((): Column<Named<TrunkDocument>>[] => [
    { key: 'direction', label: words.direction, value: ({ document }) => words[directionOf(document)], cell: ({ document }) => <Badge tone="plain">{words[directionOf(document)]}</Badge> },
    { key: 'identified', label: words.identified, value: ({ document }) => knownBy(words, document), cell: ({ document }) => knownBy(words, document) },
    { key: 'server', label: words.names['outbound.server'], value: ({ document }) => document.outbound?.server ?? '', cell: ({ document }) => document.outbound?.server },
    { key: 'codecs', label: words.names.codecs, value: ({ document }) => (document.codecs ?? []).join(', '), cell: ({ document }) => (document.codecs ?? []).join(', ') },
    { key: 'srtp', label: words.names.srtp, value: ({ document }) => words.srtp[document.srtp ?? 'off'], cell: ({ document }) => words.srtp[document.srtp ?? 'off'] },
  ], [words])
  return (
    <SettingsPage<TrunkDocument> kind="trunks" parts={parts} title={words.title} lead={words.lead} add={words.add} empty={words.empty} columns={columns} fresh={{}} names={words.names}
      mayChange Form={Editor} Beside={Tested} wizard={<Wizard />} />
  )
}

function knownBy(words: Words, { networks, digest }: TrunkDocument): string {
  return [...(networks ?? []), ...(digest ? [words.login(digest.user)] : [])].join(', ')
}

/** What is stored is tested: what is being changed must be stored first. */
function Tested({ name, document }: { name: string; document: TrunkDocument }) {
  const words = useTrunkTestWords()
  return <Card title={words.testNow}><Test name={name} hasServer={document.outbound !== undefined} /></Card>
}

function Editor(props: FormProps<TrunkDocument>) {
  const words = useTrunksWords()
  return ([['identity', Identity], ['outbound', Outbound], ['media', Media]] as const).map(([step, Part]) => (
    <section key={step} className="inset stack" aria-label={words.steps[step]}><h2 style={{ margin: 0 }}>{words.steps[step]}</h2><Part {...props} /></section>
  ))
}
