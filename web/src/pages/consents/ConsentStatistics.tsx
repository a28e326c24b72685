// How callers answered, by day, queue or question: a chart, and its figures.
import { useQuery } from '@tanstack/react-query'

import type { ConsentReport } from '../../api/admin'
import { Card, Chart } from '../../kit'
import { useRecordsWords } from '../../texts/admin/records'
import { Read } from '../records/shared'
import { useTexts } from '../../texts'
import { request } from '../../api/client'
import { FigureTable, ReportFilters, keyWords, useReport } from '../reports/report'

type Row = ConsentReport['total']

export function ConsentStatistics() {
  const t = useTexts()
  const words = useRecordsWords()
  const { ask, by, fields } = useReport(['day', 'queue', 'question'], words.consents.byOf)
  const { data, error } = useQuery({ queryKey: ['report', 'consents', ask], queryFn: () => request<ConsentReport>('GET', `/reports/consents${ask}`), staleTime: 0 })
  const share = (row: Row) => (row.asked > 0 ? row.given / row.asked : null)
  return (
    <Card label={words.consents.chartTitle}>
      <ReportFilters fields={fields} csv={`/reports/consents${ask}`} />
      <Read data={data} error={error}>{({ rows, total }) => (rows.length === 0 ? <p className="soft">{words.consents.noFigures}</p> : (
        <>
          <div className="figures" style={{ margin: '14px 0' }}>
            {([['asked', total.asked], ['given', total.given], ['refused', total.refused], ['silent', total.silent], ['withdrawn', total.withdrawn]] as const).map(([name, n]) => (
              <div key={name} className="figure"><div className="big numbers">{t.format.figure(n)}</div><div className="small">{words.consents[name]}</div></div>
            ))}
            <div className="figure"><div className="big numbers">{share(total) === null ? words.none : t.format.percent(share(total) ?? 0)}</div><div className="small">{words.consents.share}</div></div>
          </div>
          <Chart title={words.consents.chartTitle} kind="stacked" labels={rows.map(({ key }) => keyWords(key, by))} format={(n) => t.format.figure(n)} series={[
            { name: words.consents.given, values: rows.map(({ given }) => given), colour: 'var(--good)' },
            { name: words.consents.refused, values: rows.map(({ refused }) => refused), colour: 'var(--bad)' },
            { name: words.consents.wrongKeys, values: rows.map(({ wrongKeys }) => wrongKeys), colour: 'var(--mantine-color-orange-5)' },
            { name: words.consents.silent, values: rows.map(({ silent }) => silent), colour: 'var(--warn)' },
            { name: words.consents.hungUp, values: rows.map(({ hungUp }) => hungUp), colour: 'var(--soft)' },
          ]} />
          <FigureTable<Row> label={words.consents.chartTitle} head={words.reports.key[by as 'day']} by={by} rows={rows} total={{ ...total, key: words.consents.total }} columns={[
            [words.consents.asked, ({ asked }) => t.format.figure(asked)], [words.consents.given, ({ given }) => t.format.figure(given)],
            [words.consents.refused, ({ refused }) => t.format.figure(refused)], [words.consents.wrongKeys, ({ wrongKeys }) => t.format.figure(wrongKeys)],
            [words.consents.silent, ({ silent }) => t.format.figure(silent)], [words.consents.hungUp, ({ hungUp }) => t.format.figure(hungUp)],
            [words.consents.withdrawn, ({ withdrawn }) => t.format.figure(withdrawn)],
            [words.consents.share, (row) => { const of = share(row); return of === null ? words.none : t.format.percent(of) }],
          ]} />
        </>
      ))}</Read>
    </Card>
  )
}
