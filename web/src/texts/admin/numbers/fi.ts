import type { Words } from './en'

export const fi: Words = {
  title: 'Numerot', lead: 'Mihin jonoon valittu numero johtaa.', add: 'Uusi numero', empty: 'Ei vielä numeroita: saapuvilla puheluilla ei ole kohdetta.',
  number: 'Numero', hint: 'Kuten runkoyhteys sen lähettää, mieluiten + ja maa: +358942450001. ”*” on mikä tahansa muu.', queueMissing: 'Valitse jono.',
  names: { queue: 'Jono', language: 'Kehotteiden kieli' }, asQueue: 'Kuten jonossa',
}
