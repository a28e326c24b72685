// The directory: address books and outbound lists, brought in as CSV so that a report covers them.
import { Alert, Button, FileInput, Modal, Stack, Table } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'

import type { Entry } from '../../api/admin'
import { exchange, request } from '../../api/client'
import { Card, ConfirmButton, PageFrame, ServerTable, useFaultWords } from '../../kit'
import { glance, LARGEST } from '../../logic/directory'
import { useTexts } from '../../texts'
import { useKitWords } from '../../texts/admin/kit'
import { usePrivacyWords } from '../../texts/admin/privacy'

const PATH = '/privacy/directory'
interface Imported { added: number; changed: number; errors: { line: number; what: string }[] }

export default function Directory() {
  const t = useTexts()
  const words = usePrivacyWords()
  const kit = useKitWords()
  const queries = useQueryClient()
  const changed = () => { void queries.invalidateQueries({ queryKey: ['list', PATH] }) }
  return (
    <PageFrame title={words.directory} lead={words.directoryLead} tools={<ImportButton onDone={changed} />}>
      <Card label={words.directory}>
        <ServerTable<Entry> path={PATH} label={words.directory} rowKey={({ id }) => id} empty={words.noEntries} filters={[{ kind: 'text', name: 'q', label: words.find }]} columns={[
          { key: 'list', label: words.list, cell: ({ list }) => list },
          { key: 'name', label: words.name, cell: ({ name }) => name },
          { key: 'number', label: words.number, nowrap: true, cell: ({ number }) => number ?? words.none },
          { key: 'email', label: words.email, cell: ({ email }) => email ?? words.none },
          { key: 'note', label: words.note, cell: ({ note }) => note ?? words.none },
          { key: 'at', label: words.added, time: true, nowrap: true, cell: ({ at }) => t.format.date(at) },
          { key: 'remove', label: kit.table.actions, cell: ({ id, name }) => (
            <ConfirmButton label={words.remove} describe={words.removeOf(name)} title={words.removeTitle(name)} lead={words.removeLead} confirm={words.removeConfirm} danger
              done={words.removed} onDone={changed} act={() => request<void>('DELETE', `${PATH}/${encodeURIComponent(id)}`)} />
          ) },
        ]} />
      </Card>
    </PageFrame>
  )
}

function ImportButton({ onDone }: { onDone(): void }) {
  const words = usePrivacyWords()
  const kit = useKitWords()
  const [open, setOpen] = useState(false)
  return (
    <>
      <Button size="xs" onClick={() => { setOpen(true) }}>{words.import}</Button>
      <Modal opened={open} onClose={() => { setOpen(false) }} title={words.importTitle} size="lg" closeButtonProps={{ 'aria-label': kit.form.close }}>
        {open && <ImportForm onDone={onDone} onClose={() => { setOpen(false) }} />}
      </Modal>
    </>
  )
}

function ImportForm({ onDone, onClose }: { onDone(): void; onClose(): void }) {
  const words = usePrivacyWords()
  const kit = useKitWords()
  const faultWords = useFaultWords()
  const [file, setFile] = useState<File | null>(null)
  const [lines, setLines] = useState<number | null>(null)
  const [fault, setFault] = useState<string | null>(null)
  const [done, setDone] = useState<Imported | null>(null)
  const [busy, setBusy] = useState(false)
  const choose = async (file: File | null) => {
    setFile(file)
    setLines(null)
    setFault(null)
    setDone(null)
    if (!file) return
    if (file.size > LARGEST) {
      setFault(words.tooBig)
      return
    }
    const seen = glance(await file.text())
    setLines(seen.lines)
    if (seen.missing.length > 0) setFault(words.columnsMissing(seen.missing.join(', ')))
  }
  const submit = async () => {
    if (!file || fault) {
      setFault(fault ?? words.noFile)
      return
    }
    setBusy(true)
    try {
      const response = await exchange('POST', PATH, new Blob([file], { type: 'text/csv' }))
      setDone((await response.json()) as Imported)
      onDone()
    } catch (error) {
      setFault(faultWords(error))
    }
    setBusy(false)
  }
  return (
    <form noValidate onSubmit={(event) => {
      event.preventDefault()
      void submit()
    }}>
      <Stack>
        <p className="soft">{words.importLead}</p>
        <FileInput label={words.chooseFile} accept=".csv,text/csv" value={file} onChange={(file) => { void choose(file) }} clearable
          clearButtonProps={{ 'aria-label': kit.form.remove }} description={lines === null ? undefined : words.preview(lines)} />
        <div role="alert">{fault && <Alert color="red" variant="outline">{fault}</Alert>}</div>
        <div role="status">{done && (
          <>
            <Alert color={done.errors.length > 0 ? 'yellow' : 'green'} variant="outline">{words.imported(done.added, done.changed)} {done.errors.length > 0 && words.importErrors(done.errors.length)}</Alert>
            {done.errors.length > 0 && (
              <div style={{ maxHeight: 260, overflowY: 'auto' }}>
                <Table className="plain" aria-label={words.importErrors(done.errors.length)}>
                  <Table.Thead><Table.Tr><Table.Th ta="right">{words.line}</Table.Th><Table.Th>{words.what}</Table.Th></Table.Tr></Table.Thead>
                  <Table.Tbody>{done.errors.map(({ line, what }, n) => <Table.Tr key={`${line}-${n}`}><Table.Td ta="right">{line}</Table.Td><Table.Td>{what}</Table.Td></Table.Tr>)}</Table.Tbody>
                </Table>
              </div>
            )}
          </>
        )}</div>
        <div className="row end">
          <Button variant="default" onClick={onClose}>{kit.form.close}</Button>
          <Button type="submit" loading={busy} disabled={!file || done !== null}>{words.importButton}</Button>
        </div>
      </Stack>
    </form>
  )
}
