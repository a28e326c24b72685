// Fields of forms that settings have: durations, how long something is kept, lists of words, rights.
import { Checkbox, Fieldset, NativeSelect, NumberInput, Radio, TagsInput, TextInput } from '@mantine/core'
import { useId, useState, type ReactNode } from 'react'

import { useKitWords } from '../texts/admin/kit'

import { spanWords, splitSpan, UNITS, type Unit } from './span'

interface FieldProps { label: string; hint?: ReactNode; error?: string }

/** A duration: an amount and its unit. Empty: unset, and what is usual holds. */
export function SpanField({ label, hint, error, value, onChange, usual, units = ['d', 'h', 'm', 's'], quiet }: FieldProps & {
  /** Its label is not seen: what is above says it. */
  quiet?: boolean
  value: string | undefined; onChange(value: string | undefined): void; usual?: string; units?: Unit[]
}) {
  const words = useKitWords()
  const now = value === undefined ? null : splitSpan(value)
  // What is chosen while there is no amount yet.
  const [unit, setUnit] = useState<Unit>(splitSpan(usual ?? '')?.unit ?? units[0] ?? 's')
  const shown = now?.unit ?? unit
  const offered = UNITS.filter((one) => units.includes(one) || one === shown)
  const says = usual !== undefined ? words.form.usual(spanWords(words.units, usual)) : undefined
  return (
    <Fieldset variant="unstyled" legend={<span className={quiet ? 'hidden' : undefined}>{label}</span>} className="field">
      <div className="span-field">
        <NumberInput aria-label={`${label}: ${words.form.amount}`} value={now?.amount ?? ''} min={0} allowDecimal={false} allowNegative={false} hideControls
          placeholder={usual === undefined ? undefined : String(splitSpan(usual)?.amount ?? '')} error={Boolean(error)}
          onChange={(amount) => { onChange(typeof amount === 'number' ? `${amount}${shown}` : undefined) }} />
        <NativeSelect aria-label={`${label}: ${words.form.unit}`} value={shown} data={offered.map((one) => ({ value: one, label: words.units[one](now?.amount ?? 2) }))}
          onChange={(event) => {
            const next = event.currentTarget.value as Unit
            setUnit(next)
            if (now) onChange(`${now.amount}${next}`)
          }} />
      </div>
      <Below hint={[hint, value === undefined ? says : undefined]} error={error} />
    </Fieldset>
  )
}

/** How long something is kept: as the system says, for ever, or for so long. */
export function KeepField({ label, hint, error, value, onChange, system }: FieldProps & {
  value: string | undefined; onChange(value: string | undefined): void
  /** What the system says (empty: it is not known here); undefined: there is no default to fall back to (it is the system's own). */
  system?: string
}) {
  const words = useKitWords()
  const say = (keep: string) => (keep === 'forever' ? words.form.forever.toLocaleLowerCase() : spanWords(words.units, keep))
  const kind = value === undefined ? (system === undefined ? 'forever' : 'system') : value === 'forever' ? 'forever' : 'for'
  return (
    <Choices label={label} hint={hint} error={error} value={kind}
      onChange={(next) => { onChange(next === 'system' ? undefined : next === 'forever' ? 'forever' : value && value !== 'forever' ? value : '90d') }}
      options={[
        ...(system === undefined ? [] : [{ value: 'system', label: system === '' ? words.form.systemUnknown : words.form.systemDefault(say(system)) }]),
        { value: 'forever', label: words.form.forever }, { value: 'for', label: words.form.for },
      ]}
      below={kind === 'for' && <SpanField quiet label={label} value={value} onChange={(span) => { onChange(span ?? '0d') }} units={['d', 'h']} />} />
  )
}

/** A duration, or never. */
export function MaybeSpanField({ label, hint, error, value, onChange, first, units }: FieldProps & {
  /** Undefined and `never` are the same. */
  value: string | undefined; onChange(value: string | undefined): void
  /** What "for" begins with. */
  first: string; units?: Unit[]
}) {
  const words = useKitWords()
  const on = value !== undefined && value !== 'never'
  return (
    <Choices label={label} hint={hint} error={error} value={on ? 'for' : 'never'} onChange={(next) => { onChange(next === 'for' ? first : undefined) }}
      options={[{ value: 'never', label: words.form.never }, { value: 'for', label: words.form.for }]}
      below={on && <SpanField quiet label={label} value={value} onChange={(span) => { onChange(span ?? first) }} units={units} />} />
  )
}

/** One of a few, all of them seen. */
export function Choices<V extends string>({ label, hint, error, value, onChange, options, below }: FieldProps & {
  value: V; onChange(value: V): void; options: { value: V; label: string; hint?: string }[]; below?: ReactNode
}) {
  const group = useId()
  return (
    <Fieldset variant="unstyled" legend={label} className="field">
      <div className="choices">
        {options.map((one) => (
          <Radio key={one.value} name={group} value={one.value} label={one.label} description={one.hint} checked={value === one.value}
            onChange={() => { onChange(one.value) }} />
        ))}
      </div>
      {below}
      <Below hint={[hint]} error={error} />
    </Fieldset>
  )
}

/** One of several, in a menu. `''` stands for unset where `none` says what that means. */
export function Choice({ label, hint, error, value, onChange, options, none }: FieldProps & {
  value: string | undefined; onChange(value: string | undefined): void; options: { value: string; label: string }[]; none?: string
}) {
  return (
    <NativeSelect label={label} description={hint} error={error} value={value ?? ''} onChange={(event) => { onChange(event.currentTarget.value || undefined) }}
      data={[...(none === undefined ? [] : [{ value: '', label: none }]), ...options,
        // What is stored is shown, even if nobody offers it.
        ...(value && !options.some((one) => one.value === value) ? [{ value, label: value }] : [])]} />
  )
}

/** Free words in a row: networks, skills. */
export function ListField({ label, hint, error, value, onChange, offered = [], placeholder, spaces }: FieldProps & {
  /** A word may have spaces in it. */
  spaces?: boolean
  value: string[] | undefined; onChange(value: string[] | undefined): void; offered?: string[]; placeholder?: string
}) {
  const words = useKitWords()
  return (
    <TagsInput label={label} description={hint ?? words.form.listHint} error={error} value={value ?? []} data={offered} placeholder={value && value.length > 0 ? undefined : placeholder}
      acceptValueOnBlur splitChars={spaces ? [',', ';'] : [',', ' ', ';']} clearable clearButtonProps={{ 'aria-label': words.form.remove }} comboboxProps={{ withinPortal: true }}
      onChange={(list) => { onChange(list.length > 0 ? list : undefined) }} />
  )
}

/** Several of a known few, all of them seen. */
export function Checks({ label, hint, error, value, onChange, options, disabled }: FieldProps & {
  value: string[]; onChange(value: string[]): void; options: { value: string; label: string; hint?: string; disabled?: boolean }[]; disabled?: boolean
}) {
  return (
    <Fieldset variant="unstyled" legend={label} className="field" disabled={disabled}>
      <div className="checks-grid">
        {options.map((one) => (
          <Checkbox key={one.value} label={one.label} description={one.hint} checked={value.includes(one.value)} disabled={one.disabled}
            onChange={(event) => {
              const on = event.currentTarget.checked
              // In the order they are offered, so that the same choice is the same document.
              const next = new Set(on ? [...value, one.value] : value.filter((it) => it !== one.value))
              onChange([...options.map((it) => it.value).filter((it) => next.has(it)), ...value.filter((it) => next.has(it) && !options.some((o) => o.value === it))])
            }} />
        ))}
      </div>
      <Below hint={[hint]} error={error} />
    </Fieldset>
  )
}

/** A text; empty: unset. */
export function TextField({ label, hint, error, value, onChange, placeholder, type, autoComplete = 'off', required }: FieldProps & {
  value: string | undefined; onChange(value: string | undefined): void; placeholder?: string; type?: string; autoComplete?: string; required?: boolean
}) {
  return (
    <TextInput label={label} description={hint} error={error} value={value ?? ''} placeholder={placeholder} type={type} autoComplete={autoComplete}
      required={required} withAsterisk={false} onChange={(event) => { onChange(event.currentTarget.value || undefined) }} />
  )
}

/** A whole number; empty: unset. */
export function NumberField({ label, hint, error, value, onChange, min, max, usual }: FieldProps & {
  value: number | undefined; onChange(value: number | undefined): void; min?: number; max?: number; usual?: number
}) {
  return (
    <NumberInput label={label} description={hint} error={error} value={value ?? ''} min={min} max={max} allowDecimal={false}
      placeholder={usual === undefined ? undefined : String(usual)} onChange={(next) => { onChange(typeof next === 'number' ? next : undefined) }} />
  )
}

/** The names of objects, as the server takes them; `more`: signs that this kind may have, too. */
export const goodName = (name: string, more = '') =>
  name.length >= 1 && name.length <= 64 && [...name].every((sign) => /[A-Za-z0-9._-]/.test(sign) || more.includes(sign))

function Below({ hint, error }: { hint: ReactNode[]; error: string | undefined }) {
  const said = hint.filter(Boolean)
  return (
    <>
      {said.length > 0 && <div className="soft small">{said.map((one, at) => <div key={at}>{one}</div>)}</div>}
      {error && <div className="bad small" role="alert">{error}</div>}
    </>
  )
}
