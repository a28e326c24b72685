// A call's SIP messages, drawn; and the same as a table, for those who read it so.
import { SegmentedControl, Table } from '@mantine/core'
import { useMemo, useState } from 'react'

import type { Ladder } from '../../../api/admin'
import { clock } from '../../../logic/time'
import { useTexts } from '../../../texts'

import { draw, type Rung } from './ladder'
import './ladder.css'
import { useLadderWords, type Words } from './texts'

export function LadderDiagram({ ladder }: { ladder: Ladder }) {
  const words = useLadderWords()
  const [shape, setShape] = useState<'drawing' | 'text'>('drawing')
  return (
    <>
      <SegmentedControl size="xs" mb="sm" aria-label={words.ladder} value={shape} onChange={(value) => { setShape(value as 'drawing' | 'text') }}
        data={[{ value: 'drawing', label: words.showDrawing }, { value: 'text', label: words.showText }]} />
      {shape === 'drawing' ? <Drawing ladder={ladder} /> : <Messages ladder={ladder} />}
      {ladder.cut && <p className="soft">{words.cut}</p>}
    </>
  )
}

function lineName(words: Words, line: string): string {
  if (line.startsWith('trunk ')) return words.trunkLine(line.slice(6))
  if (line.startsWith('agent ')) return words.agentLine(line.slice(6))
  return words.lineNames[line] ?? line
}

const short = (text: string, most: number) => (text.length > most ? `${text.slice(0, most - 1)}…` : text)

function Drawing({ ladder }: { ladder: Ladder }) {
  const t = useTexts()
  const words = useLadderWords()
  const { width, height, lines, rungs, rests } = useMemo(() => draw(ladder), [ladder])
  const names = lines.map(({ name }) => lineName(words, name)).join(', ')
  return (
    <div className="scroll" role="group" aria-label={words.ladder} tabIndex={0}>
      <svg className="ladder" width={width} height={height} viewBox={`0 0 ${width} ${height}`} style={{ width, minWidth: width }} role="list"
        aria-label={words.ladderTitle(rungs.length, names)}>
        {lines.map(({ name, x }) => (
          <g key={name} className="name" aria-hidden="true">
            <line className="line" x1={x} x2={x} y1={36} y2={height - 8} />
            <rect x={x - 92} y={8} width={184} height={30} rx={8} />
            <text x={x} y={28} textAnchor="middle" fontWeight={600}>{short(lineName(words, name), 24)}</text>
          </g>
        ))}
        {rests.map(({ y, seconds }) => (
          <g key={y} aria-hidden="true">
            <line className="rest" x1={16} x2={width - 16} y1={y} y2={y} />
            <text className="soft-text" x={width - 16} y={y - 5} textAnchor="end">{words.rest(clock(seconds))}</text>
          </g>
        ))}
        {rungs.map((rung) => (
          <g key={rung.n} className="rung" data-kind={rung.kind} role="listitem"
            aria-label={words.rung(t.format.instant(rung.at), lineName(words, rung.from), lineName(words, rung.to), sayOf(rung))}>
            <title>{`${t.format.instant(rung.at)} · ${rung.what} · CSeq ${rung.cseq}${rung.body ? ` · ${rung.body}` : ''}`}</title>
            <Arrow rung={rung} />
            <text className="soft-text" x={6} y={rung.y + 4}>{after(rung.after)}</text>
          </g>
        ))}
      </svg>
    </div>
  )
}

/** What a body is, without its length: `INVITE (sdp)`. */
const sayOf = ({ what, body }: Rung) => (body ? `${what} (${/\/([\w.+-]+)/.exec(body)?.[1] ?? body})` : what)
const after = (ms: number) => (ms < 1000 ? `+${ms} ms` : ms < 60_000 ? `+${(ms / 1000).toFixed(2)} s` : `+${clock(ms / 1000)}`)

function Arrow({ rung }: { rung: Rung }) {
  const { x1, x2, y } = rung
  if (x1 === x2) {
    return (
      <>
        <path className="arrow" d={`M${x1} ${y - 8}h34v14h-28`} />
        <path className="head" d={`M${x1 + 1} ${y + 6}l9-5v10z`} />
        <text className="what" x={x1 + 42} y={y + 3}>{short(sayOf(rung), 30)}</text>
      </>
    )
  }
  const way = Math.sign(x2 - x1)
  const dashed = rung.kind === 'provisional' ? '5 4' : undefined
  return (
    <>
      <line x1={x1} x2={x2 - way * 8} y1={y} y2={y} strokeDasharray={dashed} />
      <path className="head" d={`M${x2} ${y}l${-way * 10}-5v10z`} />
      <text className="what" x={(x1 + x2) / 2} y={y - 6} textAnchor="middle">{short(sayOf(rung), Math.max(18, Math.floor(Math.abs(x2 - x1) / 7.5)))}</text>
    </>
  )
}

function Messages({ ladder }: { ladder: Ladder }) {
  const t = useTexts()
  const words = useLadderWords()
  return (
    <div className="scroll" role="group" aria-label={words.ladder} tabIndex={0}>
      <Table className="plain">
        <Table.Thead><Table.Tr>
          <Table.Th>{words.time}</Table.Th><Table.Th>{words.from}</Table.Th><Table.Th>{words.to}</Table.Th><Table.Th>{words.message}</Table.Th>
          <Table.Th>CSeq</Table.Th><Table.Th ta="right">{words.leg}</Table.Th>
        </Table.Tr></Table.Thead>
        <Table.Tbody>
          {ladder.messages.map((message, n) => (
            <Table.Tr key={n}>
              <Table.Td style={{ whiteSpace: 'nowrap' }}>{t.format.instant(message.at)}</Table.Td><Table.Td>{lineName(words, message.from)}</Table.Td>
              <Table.Td>{lineName(words, message.to)}</Table.Td><Table.Td>{message.body ? `${message.what} (${message.body})` : message.what}</Table.Td>
              <Table.Td>{message.cseq}</Table.Td><Table.Td ta="right">{message.leg}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  )
}
