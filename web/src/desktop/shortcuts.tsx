// Keyboard shortcuts: Alt and a letter, by the key's place, so that they are the same on every layout and type nothing.
import { Kbd, Modal, Table } from '@mantine/core'
import { useEffect, useRef } from 'react'

import { useTexts, type Texts } from '../texts'

export type Action = keyof Texts['shortcuts']['actions']

const KEYS: Record<Action, string> = {
  answer: 'A', hangUp: 'X', mute: 'M', hold: 'O', record: 'P', keypad: 'K', transfer: 'U', notes: 'N', ready: 'R', help: 'I',
}

/** For `aria-keyshortcuts`. */
export const keys = (action: Action) => `Alt+${KEYS[action]}`

/** Listens while mounted. An action without a function does nothing. */
export function useShortcuts(actions: Partial<Record<Action, (() => void) | undefined>>) {
  const current = useRef(actions)
  useEffect(() => { current.current = actions })
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (!event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.repeat) return
      const action = (Object.keys(KEYS) as Action[]).find((one) => event.code === `Key${KEYS[one]}`)
      const act = action && current.current[action]
      if (!act) return
      event.preventDefault()
      act()
    }
    window.addEventListener('keydown', press)
    return () => { window.removeEventListener('keydown', press) }
  }, [])
}

export function ShortcutList({ opened, onClose }: { opened: boolean; onClose(): void }) {
  const t = useTexts()
  return (
    <Modal opened={opened} onClose={onClose} title={t.shortcuts.title} closeButtonProps={{ 'aria-label': t.common.close }}>
      <p className="soft">{t.shortcuts.lead}</p>
      <Table className="plain">
        <Table.Thead><Table.Tr><Table.Th>{t.shortcuts.key}</Table.Th><Table.Th>{t.shortcuts.does}</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {(Object.keys(KEYS) as Action[]).map((action) => (
            <Table.Tr key={action}>
              <Table.Td><Kbd>Alt</Kbd> + <Kbd>{KEYS[action]}</Kbd></Table.Td>
              <Table.Td>{t.shortcuts.actions[action]}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Modal>
  )
}
