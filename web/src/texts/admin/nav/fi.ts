import type { Words } from './en'

export const fi: Words = {
  administration: 'Hallinta', label: 'Hallinta', menu: 'Valikko', noPage: 'Sivua ei ole, tai sinulla ei ole oikeutta siihen.',
  groups: {
    live: 'Nyt', records: 'Puhelut ja tallenteet', policy: 'Säännöt', people: 'Henkilötiedot', logs: 'Lokit', system: 'Järjestelmä', own: 'Oma tili',
  },
  overview: 'Yleiskuva', wallboard: 'Tilannetaulu',
  calls: 'Puhelut', recordings: 'Tallenteet', consents: 'Suostumukset', reports: 'Raportit',
  queues: 'Jonot', prompts: 'Puhekehotteet', retention: 'Säilytys', numbers: 'Numerot', trunks: 'Runkoyhteydet', agents: 'Asiakaspalvelijat ja taidot', holds: 'Poistokiellot',
  privacy: 'Pyynnöt', directory: 'Hakemisto', tasks: 'Tehtävät',
  audit: 'Tarkastusloki', listening: 'Kuunteluloki',
  users: 'Käyttäjät', roles: 'Roolit', providers: 'Kirjautuminen', tokens: 'Tunnisteet', webhooks: 'Webhookit', system: 'Järjestelmäasetukset', jobs: 'Työt', health: 'Kunto',
  account: 'Kirjautuminen ja turvallisuus',
}
