// Agents: their queues, skills and phones; and who has which skill.
import { MultiSelect, PasswordInput, Table } from '@mantine/core'
import { useMemo } from 'react'

import type { AgentDocument, Named, QueueDocument } from '../../api/admin'
import { useDesk } from '../../app/hooks'
import { address } from '../../app/route'
import { Card, Choice, ListField, SettingsPage, TextField, useAll, type Column, type FormProps } from '../../kit'
import { useLiveQueues } from '../../kit/names'
import { may } from '../../logic/mine'
import { useAgentsWords } from '../../texts/admin/agents'
import { useKitWords } from '../../texts/admin/kit'

export default function Agents({ parts }: { parts: string[] }) {
  const words = useAgentsWords()
  const queues = useLiveQueues()
  const columns = useMemo((): Column<Named<AgentDocument>>[] => {
    const list = (key: 'queues' | 'skills'): Column<Named<AgentDocument>> =>
      ({ key, label: words.names[key], value: ({ document }) => (document[key] ?? []).join(', '), cell: ({ document }) => (document[key] ?? []).join(', ') })
    return [
      { key: 'display-name', label: words.names['display-name'], value: ({ name, document }) => document['display-name'] ?? name, cell: ({ name, document }) => document['display-name'] ?? name },
      list('queues'), list('skills'),
      { key: 'media', label: words.names.media, value: ({ document }) => mediaOf(words.media, document.media), cell: ({ document }) => mediaOf(words.media, document.media) },
    ]
  }, [words])
  const filters = useMemo(() => [{ kind: 'choice' as const, name: 'queue', label: words.names.queues, options: queues.map((one) => ({ value: one, label: one })) }], [words, queues])
  return (
    <SettingsPage<AgentDocument> kind="agents" parts={parts} title={words.title} lead={words.lead} add={words.add} empty={words.empty} columns={columns} filters={filters}
      fits={({ document }, _, queue) => (document.queues ?? []).includes(queue)} fresh={{}} names={words.names} mayChange nameField={{ label: words.id }} Form={Editor} below={<Skills />} />
  )
}

const mediaOf = (words: Record<string, string>, media = 'auto') => words[media] ?? media

/** All skills that anybody has or any queue needs. */
function useSkills(): { agents: Named<AgentDocument>[]; queues: Named<QueueDocument>[]; skills: string[] } {
  const { session } = useDesk()
  const agents = useAll<AgentDocument>('agents').data ?? []
  const queues = useAll<QueueDocument>('queues', may(session, 'configure-queues') || may(session, 'configure-recording')).data ?? []
  const skills = [...new Set([...agents, ...queues].flatMap(({ document }) => document.skills ?? []))].sort()
  return { agents, queues, skills }
}

function Editor({ of, draft }: FormProps<AgentDocument>) {
  const words = useAgentsWords()
  const kit = useKitWords()
  const { names } = words
  const queues = useLiveQueues()
  const { skills } = useSkills()
  const options = (all: Record<string, string>) => Object.entries(all).map(([value, label]) => ({ value, label }))
  const code = (key: 'three-way-code' | 'complete-code' | 'return-code', usual: string) => (
    <TextField label={names[key]} hint={words.codeHint} value={draft[key]} placeholder={usual} error={of.wrong(key)} onChange={(next) => { of.change({ [key]: next }) }} />
  )
  return (
    <>
      <section className="inset" aria-label={words.person}>
        <h2>{words.person}</h2>
        <div className="form-grid">
          <TextField label={names['display-name']} value={draft['display-name']} error={of.wrong('display-name')} onChange={(next) => { of.change({ 'display-name': next }) }} />
          <MultiSelect label={names.queues} value={draft.queues ?? []} error={of.wrong('queues')} data={[...new Set([...queues, ...(draft.queues ?? [])])]} searchable
            onChange={(list) => { of.change({ queues: list.length > 0 ? list : undefined }) }} />
          <ListField label={names.skills} value={draft.skills} offered={skills} error={of.wrong('skills')} onChange={(list) => { of.change({ skills: list }) }} />
        </div>
      </section>
      <section className="inset" aria-label={words.phone}>
        <h2>{words.phone}</h2>
        <div className="form-grid">
          <Choice label={names.media} value={draft.media ?? 'auto'} options={options(words.media)} error={of.wrong('media')} onChange={(media) => { of.change({ media }) }} />
          <Choice label={names.srtp} value={draft.srtp ?? 'off'} options={options(words.srtp)} error={of.wrong('srtp')} onChange={(srtp) => { of.change({ srtp }) }} />
          <ListField label={names.codecs} hint={words.codecsHint} value={draft.codecs} offered={['opus', 'g722', 'pcma', 'pcmu']} error={of.wrong('codecs')} onChange={(codecs) => { of.change({ codecs }) }} />
          <PasswordInput label={names.password} description={`${words.passwordHint} ${of.isNew ? '' : kit.form.secretKept}`} value={draft.password ?? ''} error={of.wrong('password')} autoComplete="new-password"
            onChange={(event) => { of.change({ password: event.currentTarget.value || undefined }) }} />
          {code('three-way-code', '*3')}{code('complete-code', '*4')}{code('return-code', '*1')}
        </div>
      </section>
    </>
  )
}

function Skills() {
  const words = useAgentsWords()
  const { agents, queues, skills } = useSkills()
  const link = (kind: string, names: string[]) => names.map((name, n) => <span key={name}>{n > 0 && ', '}<a className="link" href={address(kind, [name])}>{name}</a></span>)
  const having = (all: Named<AgentDocument | QueueDocument>[], skill: string) => all.filter(({ document }) => document.skills?.includes(skill)).map(({ name }) => name)
  return (
    <Card title={words.skillsTable}>
      <p className="soft">{skills.length === 0 ? words.noSkills : words.skillsLead}</p>
      {skills.length > 0 && (
        <Table className="plain">
          <caption className="hidden">{words.skillsTable}</caption>
          <Table.Thead><Table.Tr><Table.Th>{words.skill}</Table.Th><Table.Th>{words.agents}</Table.Th><Table.Th>{words.neededBy}</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>
            {skills.map((skill) => {
              const [has, need] = [having(agents, skill), having(queues, skill)]
              return (
                <Table.Tr key={skill}><Table.Th scope="row">{skill}</Table.Th>
                  <Table.Td>{has.length === 0 && need.length > 0 ? <span className="bad">0</span> : <>{has.length}: {link('agents', has)}</>}</Table.Td>
                  <Table.Td>{link('queues', need)}</Table.Td></Table.Tr>
              )
            })}
          </Table.Tbody>
        </Table>
      )}
    </Card>
  )
}
