// Who gets a queue's calls, in which order, and for how long they wait.
import type { AgentDocument, QueueDocument } from '../../api/admin'
import { Choice, ListField, MaybeSpanField, NumberField, SpanField, useAll, type DocumentState } from '../../kit'
import { useDesk } from '../../app/hooks'
import { LANGUAGES } from '../../kit/languages'
import { may } from '../../logic/mine'
import { useQueuesWords } from '../../texts/admin/queues'

import { WhereTo } from './WhereTo'



export function Distribution({ of, draft, queues }: { of: DocumentState<QueueDocument>; draft: QueueDocument; queues: string[] }) {
  const words = useQueuesWords()
  const { names, hints } = words
  const { session } = useDesk()
  const agents = useAll<AgentDocument>('agents', may(session, 'configure-agents')).data ?? []
  const skills = [...new Set(agents.flatMap(({ document }) => document.skills ?? []))].sort()
  return (
    <div className="form-grid">
      <Choice label={names.strategy} value={draft.strategy ?? 'longest-idle'} error={of.wrong('strategy')} options={Object.entries(words.strategies).map(([value, label]) => ({ value, label }))}
        onChange={(strategy) => { of.change({ strategy: strategy as QueueDocument['strategy'] }) }} />
      <ListField label={names.skills} hint={hints.skills} value={draft.skills} offered={skills} error={of.wrong('skills')} onChange={(list) => { of.change({ skills: list }) }} />
      <NumberField label={names.priority} hint={hints.priority} value={draft.priority} usual={0} min={0} max={1000} error={of.wrong('priority')} onChange={(priority) => { of.change({ priority }) }} />
      <Choice label={names.language} value={draft.language ?? 'en'} error={of.wrong('language')} options={LANGUAGES.map((one) => ({ value: one, label: one }))} onChange={(language) => { of.change({ language }) }} />
      <SpanField label={names['ring-timeout']} value={draft['ring-timeout']} usual="20s" units={['s', 'm']} error={of.wrong('ring-timeout')} onChange={(span) => { of.change({ 'ring-timeout': span }) }} />
      <SpanField label={names['wrap-up']} value={draft['wrap-up']} usual="10s" units={['s', 'm']} error={of.wrong('wrap-up')} onChange={(span) => { of.change({ 'wrap-up': span }) }} />
      <SpanField label={names['max-wait']} value={draft['max-wait']} usual="10m" units={['s', 'm', 'h']} error={of.wrong('max-wait')} onChange={(span) => { of.change({ 'max-wait': span }) }} />
      <WhereTo label={names.overflow} hangup={words.ends.hangup} value={draft.overflow} queues={queues} error={of.wrong('overflow')} onChange={(overflow) => { of.change({ overflow }) }} />
      <MaybeSpanField label={names['position-every']} value={draft['position-every'] ?? '1m'} first="1m" units={['s', 'm']} error={of.wrong('position-every')}
        onChange={(span) => { of.change({ 'position-every': span ?? 'never' }) }} />
      <NumberField label={names['service-seconds']} value={draft['service-seconds']} usual={20} min={1} max={3600} error={of.wrong('service-seconds')}
        onChange={(seconds) => { of.change({ 'service-seconds': seconds }) }} />
    </div>
  )
}
