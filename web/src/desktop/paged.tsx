// Lists that come a page at a time.
import { Alert, Button, Loader } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'

import type { Page } from '../api/types'
import { faultWords } from '../app/hooks'
import { useTexts } from '../texts'

/** `rows` draws what has come so far. */
export function Paged<T>({ name, fetch, rows, none }: {
  name: string; fetch(before: string | null): Promise<Page<T>>; rows(items: T[]): ReactNode; none: string
}) {
  const t = useTexts()
  const { data, error, isPending, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery({
    queryKey: [name],
    queryFn: ({ pageParam }) => fetch(pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    staleTime: 0,
  })
  if (isPending) return <div className="row"><Loader size="sm" />{t.common.loading}</div>
  if (error) return <Alert color="red" variant="outline" role="alert">{faultWords(t, error)}</Alert>
  const items = data.pages.flatMap((page) => page.items)
  if (items.length === 0) return <p className="soft">{none}</p>
  return (
    <>
      <div className="scroll">{rows(items)}</div>
      {hasNextPage && (
        <Button mt="md" variant="default" loading={isFetchingNextPage} onClick={() => { void fetchNextPage() }}>{t.common.more}</Button>
      )}
    </>
  )
}
