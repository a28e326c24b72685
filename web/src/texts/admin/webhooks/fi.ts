import type { Words } from './en'

export const fi: Words = {
  title: 'Webhookit', lead: 'Muille järjestelmille kerrotaan, mitä täällä tapahtuu: allekirjoitettuna ja uudelleen, kunnes ne ottavat vastaan. Numeroita tai nimiä ei lähetetä.', add: 'Uusi webhook', empty: 'Ei vielä webhookeja.',
  names: { url: 'Osoite', secret: 'Allekirjoituksen avain', events: 'Tapahtumat', enabled: 'Käytössä' }, urlHint: 'https://…, tai http:// tähän koneeseen.', make: 'Tee avain', states: { on: 'Päällä', off: 'Pois' },
  older: 'Lataa vanhempia',
  deliveries: 'Toimitukset', deliveriesLead: 'Mitä lähetettiin, uusin ensin.', noDeliveries: 'Mitään ei ole vielä lähetetty.', event: 'Tapahtuma', at: 'Aika', attempts: 'Yrityksiä', state: 'Tila', status: 'Vastaus', what: 'Mitä sanottiin', next: 'Seuraava yritys',
  delivery: { waiting: 'Odottaa', delivered: 'Toimitettu', failed: 'Luovuttu' }, retry: 'Lähetä uudelleen', retryOf: (event, at) => `Lähetä uudelleen: ${event}, ${at}`, retried: 'Se lähetetään uudelleen.',
  test: 'Lähetä koe', testOk: (status) => `Se otettiin vastaan (${status ?? ''}).`, testBad: (what) => `Sitä ei otettu vastaan: ${what}`, testLead: 'Lähettää tapahtuman ”test” nyt tallennetuilla asetuksilla.',
  events: {
    'call.ended': 'Puhelu päättyi', 'consent.given': 'Suostumus annettu', 'consent.refused': 'Suostumus evätty', 'consent.withdrawn': 'Suostumus peruttu', 'recording.stored': 'Tallenne talletettu', 'recording.failed': 'Tallennus epäonnistui',
    'recording.removed': 'Tallenne poistettu', 'recording.overridden': 'Tallennettu ilman suostumusta', 'audit.alarm': 'Hälytys', 'audit.anchor': 'Tarkastusloki ankkuroitu',
  },
}
