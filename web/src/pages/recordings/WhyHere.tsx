// Why a recording is still here, or why it went: the rule, the clock, holds, and what happened to it.
import { useQuery } from '@tanstack/react-query'

import type { Whys } from '../../api/admin'
import { request } from '../../api/client'
import { Card, Facts, spanWords } from '../../kit'
import { useTexts } from '../../texts'
import { useKitWords } from '../../texts/admin/kit'
import { useRecordsWords } from '../../texts/admin/records'
import { ReleaseButton } from '../holds/HoldList'
import { Read } from '../records/shared'

export function WhyHere({ id, gone, mayRelease }: { id: string; gone: boolean; mayRelease: boolean }) {
  const t = useTexts()
  const words = useRecordsWords()
  const kit = useKitWords()
  const { data, error } = useQuery({ queryKey: ['why', id], queryFn: () => request<Whys>('GET', `/recordings/${encodeURIComponent(id)}/why`), staleTime: 0 })
  return (
    <Card title={gone ? words.recordings.whyWent : words.recordings.whyHere}>
      <Read data={data} error={error}>{({ sentence, rule, clock, holds, history }) => (
        <div className="stack" style={{ gap: 12 }}>
          <p><strong>{sentence}</strong></p>
          <Facts of={[
            [words.recordings.rule, rule],
            ...(clock ? [
              [words.recordings.clockFrom, t.format.moment(clock.from)], [words.recordings.keep, spanWords(kit.units, clock.keep)], [words.recordings.goesAt, t.format.moment(clock.at)],
            ] as [string, string][] : []),
          ]} />
          {holds.filter(({ releasedAt }) => !releasedAt).map((hold) => (
            <div key={hold.id} className="group apart">
              <div><strong>{words.recordings.onHold}</strong> · {words.recordings.by(hold.by)}, {t.format.date(hold.at)}<div className="free soft">{hold.reason}</div></div>
              {mayRelease && <ReleaseButton hold={hold} />}
            </div>
          ))}
          <div>
            <h3>{words.recordings.history}</h3>
            <ol className="events">
              {history.map(({ at, what, by }, n) => (
                <li key={`${at}-${n}`}><span className="soft">{t.format.moment(at)}</span><span>{what} <span className="soft">{words.recordings.by(by)}</span></span></li>
              ))}
            </ol>
          </div>
        </div>
      )}</Read>
    </Card>
  )
}
