import type { Words } from './en'

export const de: Words = {
  title: 'Rufnummern', lead: 'Zu welcher Warteschlange eine gewählte Nummer führt.', add: 'Neue Rufnummer', empty: 'Noch keine Nummern: Eingehende Anrufe haben kein Ziel.',
  number: 'Rufnummer', hint: 'Wie der Trunk sie sendet, am besten mit + und Land: +498912345678. „*“ ist jede andere.', queueMissing: 'Wählen Sie eine Warteschlange.',
  names: { queue: 'Warteschlange', language: 'Sprache der Ansagen' }, asQueue: 'Wie die Warteschlange',
}
