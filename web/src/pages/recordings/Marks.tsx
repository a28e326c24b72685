// Gaps and silences as marks over the waveform.
import type { Recording } from '../../api/types'
import { mark, type Span } from '../../logic/listen'

export function Marks({ gaps, silences, seconds }: { gaps: Recording['gaps']; silences: Span[]; seconds: number }) {
  const place = (span: Span) => {
    const { left, width } = mark(span, seconds)
    return { left: `${left}%`, width: `${width}%` }
  }
  return (
    <>
      {silences.map((span) => <span key={`s${span.start}`} className="mark" data-kind="silence" style={place(span)} />)}
      {gaps.map(({ start, seconds: length, channel }) => (
        <span key={`g${start}-${channel ?? ''}`} className="mark" data-kind="gap" data-channel={channel ?? undefined} style={place({ start, end: start + length })} />
      ))}
    </>
  )
}
