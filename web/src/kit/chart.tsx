// Plain charts: bars (side by side or stacked) and lines over a row of labels, drawn in SVG, with the figures as a table
// for those who want or need them.
import { Table } from '@mantine/core'
import { useState } from 'react'

import { useKitWords } from '../texts/admin/kit'

import { steps, stacksOf } from './scale'

export interface Series { name: string; values: (number | null)[]; colour?: string }
const COLOURS = ['var(--chart-1)', 'var(--chart-2)', 'var(--chart-3)', 'var(--chart-4)', 'var(--chart-5)', 'var(--chart-6)']
const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [720, 240, 48, 8, 8, 28]

export function Chart({ title, kind, labels, series, format = String, height = HEIGHT }: {
  title: string
  kind: 'bars' | 'stacked' | 'lines'
  labels: string[]
  series: Series[]
  format?(value: number): string
  height?: number
}) {
  const words = useKitWords()
  const [at, setAt] = useState<number | null>(null)
  if (labels.length === 0) return <p className="soft">{words.chart.noData}</p>
  const coloured = series.map((one, n) => ({ ...one, colour: one.colour ?? COLOURS[n % COLOURS.length] ?? 'currentColor' }))
  const marks = steps(kind === 'stacked' ? stacksOf(series.map(({ values }) => values)) : series.flatMap(({ values }) => values.map((value) => value ?? 0)))
  const top = marks.at(-1) ?? 1
  const y = (value: number) => height - BOTTOM - (value / top) * (height - TOP - BOTTOM)
  const slot = (WIDTH - LEFT - RIGHT) / labels.length
  // As many labels as have room: about 60 units each.
  const every = Math.max(1, Math.ceil(60 / slot))
  return (
    <figure className="chart">
      <figcaption><strong>{title}</strong>
        <span className="legend">{coloured.map((one) => <span key={one.name}><span className="swatch" style={{ background: one.colour }} />{one.name}</span>)}</span>
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${height}`} role="img" aria-label={title} onPointerLeave={() => { setAt(null) }}>
        {marks.map((mark) => (
          <g key={mark}>
            <line x1={LEFT} x2={WIDTH - RIGHT} y1={y(mark)} y2={y(mark)} stroke="var(--line)" />
            <text x={LEFT - 6} y={y(mark) + 4} textAnchor="end" className="tick">{format(mark)}</text>
          </g>
        ))}
        {labels.map((label, n) => (
          <g key={label + String(n)} onPointerEnter={() => { setAt(n) }}>
            <rect x={LEFT + n * slot} y={TOP} width={slot} height={height - TOP - BOTTOM} fill={at === n ? 'var(--lamp-off-ground)' : 'transparent'} />
            {kind === 'bars' && bars(coloured, n, slot, y)}
            {kind === 'stacked' && stack(coloured, n, slot, y)}
            {n % every === 0 && <text x={LEFT + (n + 0.5) * slot} y={height - 8} textAnchor="middle" className="tick">{label}</text>}
          </g>
        ))}
        {kind === 'lines' && coloured.map((one) => (
          <g key={one.name} pointerEvents="none">
            <path d={lineOf(one.values, (n) => LEFT + (n + 0.5) * slot, y)} fill="none" stroke={one.colour} strokeWidth="2" strokeLinejoin="round" />
            {at !== null && one.values[at] != null && <circle cx={LEFT + (at + 0.5) * slot} cy={y(one.values[at])} r="4" fill={one.colour} />}
          </g>
        ))}
      </svg>
      <div className="soft small chart-says" aria-hidden="true">
        {at !== null && `${labels[at] ?? ''}: ${coloured.map((one) => `${one.name} ${one.values[at] == null ? '–' : format(one.values[at])}`).join(', ')}`}
      </div>
      <details>
        <summary>{words.chart.asTable}</summary>
        <div className="scroll chart-table">
          <Table className="plain" verticalSpacing={3}>
            <caption className="hidden">{title}</caption>
            <Table.Thead><Table.Tr><Table.Th />{series.map(({ name }) => <Table.Th key={name} scope="col" ta="right">{name}</Table.Th>)}</Table.Tr></Table.Thead>
            <Table.Tbody>
              {labels.map((label, n) => (
                <Table.Tr key={label + String(n)}><Table.Th scope="row">{label}</Table.Th>
                  {series.map(({ name, values }) => <Table.Td key={name} ta="right">{values[n] == null ? '–' : format(values[n])}</Table.Td>)}</Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      </details>
    </figure>
  )
}

type Drawn = Series & { colour: string }
type Y = (value: number) => number

function bars(series: Drawn[], n: number, slot: number, y: Y) {
  const width = (slot * 0.75) / series.length
  return series.map((one, s) => {
    const value = one.values[n] ?? 0
    return <rect key={one.name} x={LEFT + n * slot + slot * 0.125 + s * width} y={y(value)} width={Math.max(1, width - 1)} height={y(0) - y(value)} rx={Math.min(2, width / 4)} fill={one.colour} />
  })
}

function stack(series: Drawn[], n: number, slot: number, y: Y) {
  let below = 0
  return series.map((one) => {
    const value = one.values[n] ?? 0
    below += value
    return <rect key={one.name} x={LEFT + n * slot + slot * 0.125} y={y(below)} width={slot * 0.75} height={y(below - value) - y(below)} fill={one.colour} />
  })
}

/** Breaks where there is no value. */
function lineOf(values: (number | null)[], x: (n: number) => number, y: Y): string {
  return values.map((value, n) => (value === null ? '' : `${n > 0 && values[n - 1] !== null ? 'L' : 'M'}${x(n).toFixed(1)} ${y(value).toFixed(1)}`)).join('')
}
