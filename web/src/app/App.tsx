// Who is logged in decides what is shown: log-in, first password, or the desktop.
import { Loader } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useCallback, useEffect, useState } from 'react'

import { api, Fault, onLoggedOut } from '../api/client'
import type { Session } from '../api/types'
import { TextsProvider } from '../texts'

import { ChangePassword } from './ChangePassword'
import { LogIn } from './LogIn'
import { MustAddFactor } from './MustAddFactor'
import { Shell } from './Shell'

const SESSION = ['session']

export function App() {
  const queries = useQueryClient()
  const [ended, setEnded] = useState(false)
  const { data: session, isPending, error, refetch } = useQuery({
    queryKey: SESSION,
    staleTime: Infinity,
    queryFn: async (): Promise<Session | null> => {
      try {
        return await api.session()
      } catch (fault) {
        if (fault instanceof Fault && fault.status === 401) return null
        throw fault
      }
    },
  })
  const setSession = useCallback((session: Session | null) => {
    // All but the session itself: who looks at it is to be told.
    if (session === null) queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== SESSION[0] })
    queries.setQueryData(SESSION, session)
  }, [queries])
  const end = useCallback(() => {
    setEnded(true)
    setSession(null)
  }, [setSession])
  const leave = useCallback(() => { setSession(null) }, [setSession])
  useEffect(() => { onLoggedOut(end) }, [end])
  // A server that starts up is asked again.
  useEffect(() => {
    if (!error) return
    const timer = window.setTimeout(() => { void refetch() }, 3000)
    return () => { window.clearTimeout(timer) }
  }, [error, refetch])

  return (
    <TextsProvider account={session?.language ?? null}>
      {isPending || error ? <div className="page"><div className="idle"><Loader /></div></div>
        : !session ? <LogIn ended={ended} onSession={(session) => { setEnded(false); setSession(session) }} />
          : session.mustChangePassword
            ? <ChangePassword onDone={() => { void refetch() }} onLogOut={() => { void api.logOut().finally(leave) }} />
            : session.mustAddSecondFactor
              ? <MustAddFactor onDone={() => { void refetch() }} onLogOut={() => { void api.logOut().finally(leave) }} />
              : <Shell key={session.user} session={session} onLoggedOut={leave} onEnded={end} />}
    </TextsProvider>
  )
}
