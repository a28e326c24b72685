// Names that forms offer, from what this user may see anyway.
import { useQuery } from '@tanstack/react-query'

import { api } from '../api/client'
import type { Right } from '../api/types'
import { useDesk, useLive } from '../app/hooks'
import { may } from '../logic/mine'

import { useNames } from './settings'

/** Who may read the settings of queues, to name them elsewhere. */
const READ_QUEUES: Right[] = ['configure-queues', 'configure-recording', 'configure-prompts', 'configure-trunks', 'configure-agents', 'manage-users']

/** All queues: from the settings if they may be read, else from what goes on, else from the directory. */
export function useLiveQueues(): string[] {
  const { session } = useDesk()
  const { queues } = useLive()
  const configures = READ_QUEUES.some((right) => may(session, right))
  const stored = useNames('queues', configures)
  const listed = may(session, 'take-calls') || may(session, 'wallboard')
  const { data } = useQuery({ queryKey: ['directory'], queryFn: api.directory, enabled: !configures && listed, retry: false })
  return [...new Set([...stored, ...queues.keys(), ...(data?.queues ?? [])])].sort()
}
