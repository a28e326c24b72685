// A new trunk, step by step: who it is, calls out, sound; then it is stored, and given numbers.
import { Alert, Button, Stack, Stepper, TextInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'

import type { NumberDocument, TrunkDocument } from '../../api/admin'
import { kindPath } from '../../api/admin-client'
import { Fault } from '../../api/client'
import { tell } from '../../app/hooks'
import { go } from '../../app/route'
import { Choice, goodName, PageFrame, useAll, useDocument, useFaultWords, writeDocument } from '../../kit'
import { useLiveQueues } from '../../kit/names'
import { useTexts } from '../../texts'
import { useKitWords } from '../../texts/admin/kit'
import { useTrunksWords } from '../../texts/admin/trunks'

import { Identity, Media, Outbound } from './parts'
import { Test } from './test/Test'
import { useTrunkTestWords } from './test/texts'
import { stepOf, STEPS, STORES, type Step } from './trunk'

export function Wizard() {
  const words = useTrunksWords()
  const testWords = useTrunkTestWords()
  const steps = { ...words.steps, test: testWords.step }
  const kit = useKitWords()
  const faultWords = useFaultWords()
  const [name, setName] = useState('')
  const [step, setStep] = useState<Step>('identity')
  const [fault, setFault] = useState<string | null>(null)
  // What was stored: from then on the trunk is changed on its own page.
  const [stored, setStored] = useState<TrunkDocument | null>(null)
  const of = useDocument<TrunkDocument>(kindPath('trunks', name), { fresh: {}, lists: ['/trunks'] })
  const at = STEPS.indexOf(step)
  const panel = useRef<HTMLDivElement>(null)
  useEffect(() => { if (at > 0) panel.current?.focus() }, [at])
  // A fault leads to the step that it is about.
  const wrong = of.errors[0]
  useEffect(() => { if (wrong) setStep(stepOf(wrong.key)) }, [wrong])

  const next = async () => {
    setFault(null)
    if (step === 'identity' && !goodName(name)) {
      setFault(kit.form.nameBad)
      return
    }
    if (step === STORES) {
      try {
        const document = of.draft
        if (!document || !(await of.save())) return
        setStored(document)
      } catch (error) {
        if (error instanceof Fault && error.status === 422) return
        setFault(error instanceof Fault && error.status === 412 ? kit.form.exists : faultWords(error))
        return
      }
    }
    const following = STEPS[at + 1]
    if (following) setStep(following)
    else go('trunks', [name])
  }
  const draft = of.draft ?? {}
  return (
    <PageFrame title={words.add} back={{ label: words.title, page: 'trunks' }}>
      <section className="card" aria-label={words.add}>
        <Stepper active={at} size="sm" mb="lg" allowNextStepsSelect={false} onStepClick={(n) => {
          const to = STEPS[n]
          if (to && n < at && stored === null) setStep(to)
        }}>
          {STEPS.map((one) => <Stepper.Step key={one} label={steps[one]} allowStepSelect={stored === null && STEPS.indexOf(one) < at} />)}
        </Stepper>
        <form onSubmit={(event) => {
          event.preventDefault()
          void next()
        }} noValidate>
          <div ref={panel} tabIndex={-1} role="group" aria-label={`${words.step(at + 1, STEPS.length)}: ${steps[step]}`}>
            <Stack>
              {step === 'identity' && (
                <>
                  <TextInput label={words.name} description={words.nameHint} value={name} maw={360} autoFocus autoComplete="off" onChange={(event) => { setName(event.currentTarget.value.trim()) }} />
                  <Identity of={of} draft={draft} />
                </>
              )}
              {step === 'outbound' && <Outbound of={of} draft={draft} />}
              {step === 'media' && <Media of={of} draft={draft} />}
              {step === 'test' && (
                <>
                  <p className="soft">{testWords.testLead}</p>
                  <Test name={name} hasServer={stored?.outbound !== undefined} />
                </>
              )}
              {step === 'numbers' && <Numbers />}
            </Stack>
          </div>
          <div role="alert" style={{ marginTop: 12 }}>
            {fault && <Alert color="red" variant="outline">{fault}</Alert>}
            {of.errors.length > 0 && (
              <Alert color="red" variant="outline" title={kit.form.wrong}>
                <ul className="plain-list">{of.errors.map(({ key, what }) => <li key={key + what}><strong>{key}: </strong>{what}</li>)}</ul>
              </Alert>
            )}
          </div>
          <div className="form-end">
            {at > 0 && stored === null && <Button variant="default" onClick={() => { setStep(STEPS[at - 1] ?? 'identity') }}>{kit.form.back}</Button>}
            <Button type="submit" loading={of.busy}>{step === STORES ? words.store : step === 'numbers' ? words.finish : kit.form.next}</Button>
          </div>
        </form>
      </section>
    </PageFrame>
  )
}

function Numbers() {
  const t = useTexts()
  const words = useTrunksWords()
  const faultWords = useFaultWords()
  const queries = useQueryClient()
  const queues = useLiveQueues()
  const { data: numbers } = useAll<NumberDocument>('numbers')
  const [number, setNumber] = useState('')
  const [queue, setQueue] = useState<string | undefined>(undefined)
  const [fault, setFault] = useState<string | null>(null)
  const add = async () => {
    setFault(null)
    try {
      await writeDocument<NumberDocument>(kindPath('numbers', number), { queue: queue ?? queues[0] ?? '' }, null)
      tell(t, words.stored)
      setNumber('')
      await queries.invalidateQueries({ queryKey: ['list', '/numbers'] })
    } catch (error) {
      setFault(faultWords(error))
    }
  }
  return (
    <>
      <p className="soft">{words.numbersLead}</p>
      <div className="row" style={{ alignItems: 'flex-end' }}>
        <TextInput label={words.number} value={number} placeholder="+358942450001" onChange={(event) => { setNumber(event.currentTarget.value.trim()) }}
          onKeyDown={(event) => {
            // Enter adds the number; it does not end the wizard.
            if (event.key !== 'Enter') return
            event.preventDefault()
            if (goodName(number, '+*#')) void add()
          }} />
        <Choice label={words.queue} value={queue ?? queues[0]} options={queues.map((one) => ({ value: one, label: one }))} onChange={setQueue} />
        <Button variant="default" disabled={!goodName(number, '+*#')} onClick={() => { void add() }}>{words.addNumber}</Button>
      </div>
      <div role="alert">{fault && <Alert color="red" variant="outline">{fault}</Alert>}</div>
      <section aria-label={words.existing}>
        <h3>{words.existing}</h3>
        {(numbers ?? []).length === 0 ? <p className="soft">{words.noNumbers}</p> : <ul className="plain-list">{numbers?.map(({ name, document }) => <li key={name}>{name} → {document.queue}</li>)}</ul>}
      </section>
    </>
  )
}
