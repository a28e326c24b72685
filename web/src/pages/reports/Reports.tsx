// Figures of calls by day, queue or hour.
import { useQuery } from '@tanstack/react-query'

import type { CallReport } from '../../api/admin'
import { request } from '../../api/client'
import { Card, Chart, PageFrame } from '../../kit'
import { clock } from '../../logic/time'
import { useTexts } from '../../texts'
import { useRecordsWords } from '../../texts/admin/records'
import { Read } from '../records/shared'

import { FigureTable, keyWords, ReportFilters, useReport } from './report'

type Row = CallReport['total']

export default function Reports() {
  const t = useTexts()
  const words = useRecordsWords()
  const { ask, by, fields } = useReport(['day', 'queue', 'hour'], words.reports.byOf)
  const { data, error } = useQuery({ queryKey: ['report', 'calls', ask], queryFn: () => request<CallReport>('GET', `/reports/calls${ask}`), staleTime: 0 })
  const n = (value: number) => t.format.figure(value)
  // The report has sums: means of queues and days could not be added up.
  const mean = (seconds: number, calls: number) => (calls > 0 ? clock(seconds / calls) : words.none)
  return (
    <PageFrame title={words.reports.title} lead={words.reports.lead}>
      <Card label={words.reports.calls}>
        <ReportFilters fields={fields} csv={`/reports/calls${ask}`} />
        <Read data={data} error={error}>{({ rows, total }) => (rows.length === 0 ? <p className="soft">{words.reports.none}</p> : (
          <>
            <Chart title={words.reports.chart} kind="stacked" labels={rows.map(({ key }) => keyWords(key, by))} format={n} series={[
              { name: words.reports.answered, values: rows.map(({ answered }) => answered), colour: 'var(--good)' },
              { name: words.reports.abandoned, values: rows.map(({ abandoned }) => abandoned), colour: 'var(--warn)' },
            ]} />
            <FigureTable<Row> label={words.reports.asTable} head={words.reports.key[by]} by={by} rows={rows} total={{ ...total, key: words.reports.total }} columns={[
              [words.reports.offered, ({ offered }) => n(offered)], [words.reports.answered, ({ answered }) => n(answered)],
              [words.reports.abandoned, ({ abandoned }) => n(abandoned)], [words.reports.recorded, ({ recorded }) => n(recorded)],
              [words.reports.wait, ({ waitSeconds, offered }) => mean(waitSeconds, offered)], [words.reports.talk, ({ talkSeconds, answered }) => mean(talkSeconds, answered)],
              [words.reports.level, ({ serviceLevel }) => (serviceLevel === null ? words.none : t.format.percent(serviceLevel))],
            ]} />
          </>
        ))}</Read>
      </Card>
    </PageFrame>
  )
}
