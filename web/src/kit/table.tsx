// Lists: what they share (`Grid`), one that the server filters, sorts and pages (`ServerTable`), and one whose rows are
// here already (`LocalTable`). Filters and order are in the address, so that a list can be sent to a colleague.
import { Alert, Button, Loader, NativeSelect, Table, TextInput } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useEffect, useId, useMemo, useRef, useState, type ReactNode } from 'react'

import { request } from '../api/client'
import type { Page } from '../api/types'
import { useQueryPart } from '../app/route'
import { matches } from '../logic/target'
import { useKitWords } from '../texts/admin/kit'
import { Icon } from '../ui/icons'

import { useFaultWords } from './fault'
import { saveFile } from './file'
import { asked, csvOf, setOf, sorted, type Filter } from './filters'

export type { Filter } from './filters'
export interface Column<T> {
  key: string
  label: string
  cell(row: T): ReactNode
  /** What sorts, is searched and goes to CSV (of `LocalTable`). */
  value?(row: T): string | number | null
  right?: boolean
  nowrap?: boolean
  /** Of `ServerTable`: its head turns the list round (`sort=oldest`). */
  time?: boolean
}
interface Shared<T> {
  /** What the list is called, for those who do not see it. */
  label: string
  columns: Column<T>[]
  filters?: Filter[]
  rowKey(row: T): string
  /** What is said where there is none at all. */
  empty?: string
  /** Beside the filters: buttons. */
  tools?: ReactNode
  /** Before the names of filters in the address, where a page has more than one list. */
  prefix?: string
}

/** `path` answers `Page<T>`: `?limit`, `?after`, `?sort=oldest`, `?format=csv` and the filters by their names. */
export function ServerTable<T>({ path, fixed, csv = true, every, ...list }: Shared<T> & {
  path: string
  /** Sent with each request. */
  fixed?: Record<string, string>
  csv?: boolean
  /** Asked again after so many ms. */
  every?: number
}) {
  const words = useKitWords()
  const [query, change] = useFilters(list.prefix)
  const ask = asked(list.filters ?? [], query, { ...fixed, sort: query.sort === 'oldest' ? 'oldest' : null })
  const { data, error, isPending, hasNextPage, fetchNextPage, isFetchingNextPage, refetch } = useInfiniteQuery({
    queryKey: ['list', path, ask],
    queryFn: ({ pageParam }) => request<Page<T>>('GET', `${path}${withMore(ask, { after: pageParam })}`),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    staleTime: 0,
    refetchInterval: every ?? false,
  })
  const rows = data?.pages.flatMap((page) => page.items)
  const oldest = query.sort === 'oldest'
  return (
    <Frame list={list} query={query} change={change} count={rows && words.table.shown(rows.length, hasNextPage)}
      onRefresh={() => { void refetch() }}
      csv={csv && (
        <Button component="a" variant="default" size="xs" download href={`/api/v1${path}${withMore(ask, { format: 'csv' })}`}>{words.table.csv}</Button>
      )}>
      <Grid list={list} rows={rows} error={error} pending={isPending} filtered={setOf(list.filters ?? [], query) > 0}
        order={({ time }) => (time ? { now: oldest ? 'ascending' : 'descending', turn: () => { change({ sort: oldest ? null : 'oldest' }) } } : null)} />
      {hasNextPage && (
        <Button mt="md" variant="default" loading={isFetchingNextPage} onClick={() => { void fetchNextPage() }}>{words.table.more}</Button>
      )}
    </Frame>
  )
}

const STEP = 50

/** All rows are here: searched, sorted, paged and written as CSV in the browser. `fits` says whether a row fits a filter. */
export function LocalTable<T>({ rows, error, fits, onRefresh, file, ...list }: Shared<T> & {
  rows: T[] | undefined
  error?: unknown
  fits?(row: T, filter: string, value: string): boolean
  onRefresh?(): void
  /** The name of its CSV file, without its end. */
  file: string
}) {
  const words = useKitWords()
  const [query, change] = useFilters(list.prefix)
  const [shown, setShown] = useState(STEP)
  const filters = useMemo((): Filter[] => [{ kind: 'text', name: 'q', label: words.table.search }, ...(list.filters ?? [])], [list.filters, words])
  const [by, down] = query.sort?.startsWith('-') ? [query.sort.slice(1), true] : [query.sort, false]
  const found = useMemo(() => {
    const left = (rows ?? []).filter((row) => filters.every(({ name }) => {
      const value = query[name]
      if (!value) return true
      if (name === 'q') return matches(value, ...list.columns.map((column) => String(column.value?.(row) ?? '')))
      return fits?.(row, name, value) ?? true
    }))
    const column = list.columns.find(({ key }) => key === by)
    return column?.value ? sorted(left, column.value.bind(column), down) : left
  }, [rows, filters, list.columns, query, fits, by, down])
  const save = () => {
    const with_ = list.columns.filter((column) => column.value)
    saveFile(`${file}.csv`, csvOf([with_.map(({ label }) => label), ...found.map((row) => with_.map((column) => column.value?.(row) ?? null))]))
  }
  return (
    <Frame list={{ ...list, filters }} query={query} change={change} count={rows && words.table.shown(found.length, false)}
      onRefresh={onRefresh} csv={<Button variant="default" size="xs" onClick={save}>{words.table.csv}</Button>}>
      <Grid list={list} rows={rows && found.slice(0, shown)} error={error ?? null} pending={rows === undefined && !error}
        filtered={setOf(filters, query) > 0}
        order={({ key, value }) => (value ? {
          now: by !== key ? null : down ? 'descending' : 'ascending',
          turn: () => { change({ sort: by === key ? (down ? null : `-${key}`) : key }) },
        } : null)} />
      {found.length > shown && <Button mt="md" variant="default" onClick={() => { setShown(shown + STEP) }}>{words.table.more}</Button>}
    </Frame>
  )
}

type Query = Record<string, string>
type Change = (change: Record<string, string | null>) => void

function useFilters(prefix = ''): [Query, Change] {
  const [all, changeAll] = useQueryPart()
  const query = useMemo(() => Object.fromEntries(
    Object.entries(all).filter(([name]) => name.startsWith(prefix)).map(([name, value]) => [name.slice(prefix.length), value]),
  ), [all, prefix])
  const change: Change = (change) => { changeAll(Object.fromEntries(Object.entries(change).map(([name, value]) => [prefix + name, value]))) }
  return [query, change]
}

function withMore(ask: string, more: Record<string, string | null>): string {
  const extra = asked([], {}, more)
  return ask === '' ? extra : ask + extra.replace('?', '&')
}

function Frame<T>({ list, query, change, count, csv, onRefresh, children }: {
  list: Shared<T>; query: Query; change: Change; count: string | undefined; csv: ReactNode; onRefresh?: () => void; children: ReactNode
}) {
  const words = useKitWords()
  const filters = list.filters ?? []
  const set = setOf(filters, query)
  return (
    <div>
      <div className="list-tools">
        {filters.length > 0 && (
          <div className="list-filters" role="search" aria-label={`${words.table.filters}: ${list.label}`}>
            {filters.map((filter) => <FilterField key={filter.name} filter={filter} value={query[filter.name] ?? ''} onChange={(value) => { change({ [filter.name]: value || null }) }} />)}
            {set > 0 && <Button variant="subtle" size="xs" onClick={() => { change(Object.fromEntries(filters.map(({ name }) => [name, null]))) }}>{words.table.clear}</Button>}
          </div>
        )}
        <div className="row list-end">
          <span role="status" className="soft">{count}</span>
          {onRefresh && <Button variant="default" size="xs" onClick={onRefresh}>{words.table.refresh}</Button>}
          {csv}
          {list.tools}
        </div>
      </div>
      {children}
    </div>
  )
}

function FilterField({ filter, value, onChange }: { filter: Filter; value: string; onChange(value: string): void }) {
  const words = useKitWords()
  switch (filter.kind) {
    case 'choice':
      return (
        <NativeSelect size="xs" label={filter.label} value={value} onChange={(event) => { onChange(event.currentTarget.value) }}
          data={[{ value: '', label: words.table.any }, ...filter.options]} />
      )
    case 'day':
      return <TextInput size="xs" type="date" label={filter.label} value={value} onChange={(event) => { onChange(event.currentTarget.value) }} />
    case 'text': return <TextFilter filter={filter} value={value} onChange={onChange} />
  }
}

/** Waits until the typing rests. */
function TextFilter({ filter, value, onChange }: { filter: Filter & { kind: 'text' }; value: string; onChange(value: string): void }) {
  const [text, setText] = useState(value)
  const told = useRef(value)
  const tell = useRef(onChange)
  useEffect(() => { tell.current = onChange })
  useEffect(() => {
    // Changed from elsewhere: the address, or "clear".
    if (value !== told.current) {
      told.current = value
      setText(value)
    }
  }, [value])
  useEffect(() => {
    if (text === told.current) return
    const timer = window.setTimeout(() => {
      told.current = text
      tell.current(text)
    }, 300)
    return () => { window.clearTimeout(timer) }
  }, [text])
  return <TextInput size="xs" label={filter.label} placeholder={filter.hint} value={text} onChange={(event) => { setText(event.currentTarget.value) }} />
}

type Order = { now: 'ascending' | 'descending' | null; turn(): void } | null

function Grid<T>({ list, rows, error, pending, filtered, order }: {
  list: Shared<T>; rows: T[] | undefined; error: unknown; pending: boolean; filtered: boolean; order(column: Column<T>): Order
}) {
  const words = useKitWords()
  const faultWords = useFaultWords()
  const caption = useId()
  if (pending) return <div className="row" role="status"><Loader size="sm" />{words.form.loading}</div>
  if (error && !rows) return <Alert color="red" variant="outline" role="alert">{faultWords(error)}</Alert>
  if (!rows || rows.length === 0) return <p className="soft list-none">{filtered ? words.table.none : list.empty ?? words.table.none}</p>
  return (
    <div className="scroll" role="group" aria-labelledby={caption} tabIndex={0}>
      <Table className="plain" highlightOnHover>
        <caption className="hidden" id={caption}>{list.label}</caption>
        <Table.Thead>
          <Table.Tr>{list.columns.map((column) => <Head key={column.key} column={column} order={order(column)} />)}</Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={list.rowKey(row)}>
              {list.columns.map(({ key, right, nowrap, cell }) => (
                <Table.Td key={key} ta={right ? 'right' : undefined} style={nowrap ? { whiteSpace: 'nowrap' } : undefined}>{cell(row)}</Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  )
}

function Head<T>({ column, order }: { column: Column<T>; order: Order }) {
  const words = useKitWords()
  return (
    <Table.Th scope="col" ta={column.right ? 'right' : undefined} aria-sort={order ? order.now ?? 'none' : undefined}>
      {order ? (
        <button type="button" className="sorter" onClick={() => { order.turn() }}>
          {column.label}<span className="sort-sign" data-order={order.now ?? 'none'}><Icon name="back" size={12} /></span>
        </button>
      ) : column.label || <span className="hidden">{words.table.actions}</span>}
    </Table.Th>
  )
}
