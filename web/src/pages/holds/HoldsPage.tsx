// Legal holds: all of them, placed and released here.
import { Card, PageFrame } from '../../kit'
import { useRecordsWords } from '../../texts/admin/records'

import { HoldButton } from './HoldForm'
import { HoldList } from './HoldList'

export default function HoldsPage() {
  const words = useRecordsWords()
  return (
    <PageFrame title={words.holds.title} lead={words.holds.lead} tools={<HoldButton label={words.holds.add} />}>
      <Card label={words.holds.title}><HoldList /></Card>
    </PageFrame>
  )
}
