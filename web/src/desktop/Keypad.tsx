import { Button } from '@mantine/core'
import { useEffect, useState } from 'react'

import { useTexts } from '../texts'

const DIGITS = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '0', '#']

/** Sends digits; those of the keyboard too, unless something is being written. */
export function Keypad({ onDigit }: { onDigit(digit: string): void }) {
  const t = useTexts()
  const [sent, setSent] = useState('')
  const press = (digit: string) => {
    onDigit(digit)
    setSent((before) => (before + digit).slice(-24))
  }
  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      if (event.altKey || event.ctrlKey || event.metaKey || !DIGITS.includes(event.key)) return
      if (event.target instanceof HTMLElement && event.target.closest('input, textarea, [role=dialog]')) return
      event.preventDefault()
      press(event.key)
    }
    window.addEventListener('keydown', key)
    return () => { window.removeEventListener('keydown', key) }
  })
  return (
    <section aria-label={t.call.keypad} className="row" style={{ alignItems: 'flex-start', gap: 20 }}>
      <div className="keypad">
        {DIGITS.map((digit) => <Button key={digit} variant="default" size="md" px={0} onClick={() => { press(digit) }}>{digit}</Button>)}
      </div>
      <div>
        <p className="soft">{t.call.keypadLead}</p>
        <p>{t.call.sent}: <strong className="numbers">{sent || t.quality.none}</strong></p>
      </div>
    </section>
  )
}
