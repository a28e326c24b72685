import type { PartyView, SuperviseMode } from '../api/types'

/** How a supervisor takes part; null: not yet. */
export function modeOf(state: PartyView['state']): SuperviseMode | null {
  switch (state) {
    case 'listening': return 'listen'
    case 'whispering': return 'whisper'
    case 'barged': return 'barge'
    case 'dialled':
    case 'ringing':
    case 'talking':
    case 'holding':
    case 'consulted':
    case 'lost': return null
  }
}
