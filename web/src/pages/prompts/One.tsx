// One prompt: how it sounds now, what it says, its versions, and another in its place.
import { Alert, Loader, Textarea } from '@mantine/core'
import { useState } from 'react'

import { CommandButton, tell } from '../../app/hooks'
import { Badge, Card, ConfirmButton, Facts, LocalTable, PageFrame } from '../../kit'
import { useTexts } from '../../texts'
import { useKitWords } from '../../texts/admin/kit'
import type { Prompt } from '../../api/admin'
import { admin } from '../../api/admin-client'

import { NO_LANGUAGE, promptWords, readPromptId } from './prompts'
import { Replace } from './Replace'
import { usePromptsWords } from '../../texts/admin/prompts'

export function One({ id, prompt, read, onChanged }: { id: string; prompt: Prompt | undefined; read: boolean; onChanged(): Promise<unknown> }) {
  const t = useTexts()
  const words = usePromptsWords()
  const kit = useKitWords()
  const named = readPromptId(id)
  const title = named ? `${promptWords(words, named.name)} (${named.language === NO_LANGUAGE ? words.noLanguage : named.language}, ${named.queue ?? words.forAll})` : id
  const heard = prompt && prompt.source !== 'missing'
  return (
    <PageFrame title={title} back={{ label: words.prompts, page: 'prompts' }} tools={prompt?.source === 'imported' && (
      <ConfirmButton label={words.remove} title={words.remove} lead={words.removeLead} confirm={words.remove} danger act={() => admin.removePrompt(id)} done={words.removed} onDone={() => { void onChanged() }} />
    )}>
      {!read ? <div className="row" role="status"><Loader size="sm" />{kit.form.loading}</div> : !heard ? <Alert color="yellow" variant="outline">{words.missingLead}</Alert> : (
        <Card label={words.hear}>
          <Facts of={[
            [words.source, <Badge key="source" tone={prompt.source === 'imported' ? 'good' : 'plain'}>{words.sources[prompt.source]}</Badge>],
            [words.length, prompt.seconds === null ? kit.form.none : words.seconds(prompt.seconds.toLocaleString(t.format.locale, { maximumFractionDigits: 1 }))],
            [words.loudness, prompt.lufs === null ? kit.form.none : `${prompt.lufs.toLocaleString(t.format.locale, { maximumFractionDigits: 1 })} LUFS`],
            [words.usedBy, prompt.usedBy.join(', ') || kit.form.none],
          ]} />
          <audio key={prompt.version} controls preload="none" aria-label={words.hear} src={admin.promptAudio(id, prompt.version)} className="player" />
        </Card>
      )}
      {heard && <Text key={prompt.version} id={id} text={prompt.text ?? ''} onChanged={onChanged} />}
      {read && <Replace id={id} prompt={prompt} onStored={() => { void onChanged() }} />}
      {prompt && <Versions prompt={prompt} onChanged={onChanged} />}
    </PageFrame>
  )
}

function Text({ id, text, onChanged }: { id: string; text: string; onChanged(): Promise<unknown> }) {
  const t = useTexts()
  const words = usePromptsWords()
  const [now, setNow] = useState(text)
  return (
    <Card title={words.text}>
      <Textarea label={words.textLead} description={words.textHint} value={now} autosize minRows={3} maxLength={4000} onChange={(event) => { setNow(event.currentTarget.value) }} />
      <CommandButton mt="sm" size="sm" disabled={now === text} act={async () => {
        await admin.promptText(id, now)
        tell(t, words.textSaved)
        await onChanged()
      }}>{words.saveText}</CommandButton>
    </Card>
  )
}

function Versions({ prompt, onChanged }: { prompt: Prompt; onChanged(): Promise<unknown> }) {
  const t = useTexts()
  const words = usePromptsWords()
  return (
    <Card title={words.versions}>
      <LocalTable label={words.versions} file={`versions-${prompt.id}`} prefix="v-" rows={prompt.versions} rowKey={({ version, at }) => version + at} empty={words.noVersions} columns={[
        { key: 'at', label: words.at, nowrap: true, value: ({ at }) => at, cell: ({ at }) => t.format.moment(at) },
        { key: 'by', label: words.by, value: ({ by }) => by, cell: ({ by }) => by },
        { key: 'version', label: words.version, value: ({ version }) => version, cell: ({ version }) => <code>{version.slice(0, 12)}</code> },
        { key: 'play', label: words.play, cell: ({ version, at }) => <audio controls preload="none" aria-label={`${words.play}: ${t.format.moment(at)}`} src={admin.promptAudio(prompt.id, version)} className="player small-player" /> },
        { key: 'restore', label: '', cell: ({ version, at }) => (version === prompt.version ? <Badge tone="good">{words.current}</Badge> : (
          <CommandButton size="compact-sm" variant="default" aria-label={words.restoreOf(t.format.moment(at))} act={async () => {
            await admin.restorePrompt(prompt.id, version)
            tell(t, words.restored)
            await onChanged()
          }}>{words.restore}</CommandButton>
        )) },
      ]} />
    </Card>
  )
}
