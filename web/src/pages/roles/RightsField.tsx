// Rights to be ticked, in groups, each with its sentence.
import type { Right } from '../../api/types'
import { Checks } from '../../kit'
import { useRolesWords } from '../../texts/admin/roles'

import { grouped } from './rights'

export function RightsField({ offered, value, onChange, locked = [] }: {
  offered: Right[]; value: Right[]; onChange(value: Right[]): void
  /** Shown as held already: they come from elsewhere. */
  locked?: Right[]
}) {
  const words = useRolesWords()
  return (
    <div className="stack">
      {grouped(offered).map(([group, rights]) => (
        <Checks key={group} label={words.groups[group]} value={[...value, ...locked].filter((right) => rights.includes(right as Right))}
          options={rights.map((right) => ({ value: right, label: words.rights[right], hint: right, disabled: locked.includes(right) }))}
          onChange={(list) => {
            const others = value.filter((right) => !rights.includes(right))
            const next = new Set([...others, ...list.filter((right) => !locked.includes(right as Right))])
            onChange(offered.filter((right) => next.has(right)))
          }} />
      ))}
    </div>
  )
}
