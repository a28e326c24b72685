// Names that forms offer, from what this user may see anyway.
import { useQuery } from '@tanstack/react-query'

import { api } from '../api/client'
import { useDesk, useLive } from '../app/hooks'
import { may } from '../logic/mine'

import { useNames } from './settings'

/** All queues: from the settings if they may be read, else from what goes on, else from the directory. */
export function useLiveQueues(): string[] {
  const { session } = useDesk()
  const { queues } = useLive()
  const configures = may(session, 'configure-queues') || may(session, 'configure-recording')
  const stored = useNames('queues', configures)
  const listed = may(session, 'take-calls') || may(session, 'wallboard')
  const { data } = useQuery({ queryKey: ['directory'], queryFn: api.directory, enabled: !configures && listed, retry: false })
  return [...new Set([...stored, ...queues.keys(), ...(data?.queues ?? [])])].sort()
}
