import type { Words } from './en'

export const fi: Words = {
  title: 'Yleiskuva', lead: 'Mitä tapahtuu, ja mikä kaipaa tekijää.',
  alarms: 'Hälytykset', noAlarms: 'Ei hälytyksiä.', since: (moment) => `alkaen ${moment}`,
  now: 'Nyt', callsNow: 'Puheluita nyt', today: 'Tänään', offered: 'Tarjottu', answered: 'Vastattu', recorded: 'Tallennettu',
  consent: 'Suostumuksia', consentOf: (given, asked) => `${given}/${asked} kysytystä`,
  recordings: 'Tallenteet', storedAt: (at) => `Tallessa, laskettu ${at}`, counting: 'Lasketaan', waiting: 'Odottaa tallettamista', failed: 'Epäonnistunut',
  retention: 'Säilytys', due: 'Poistettavana', lag: 'Myöhässä', onTime: 'ajallaan',
  people: 'Henkilötiedot', tasks: 'Avoimia tehtäviä', audit: 'Tarkastusloki', rows: 'Rivejä', anchored: 'Viimeksi ankkuroitu', never: 'ei koskaan',
  findings: 'Jonojen tarkistuksen löydökset', noFindings: 'Ei mitään: kaikki jonot tekevät sen, mitä niiden tekstit sanovat.', queue: 'Jono', level: 'Taso', what: 'Mitä',
  levels: { stop: 'Ei pitäisi ottaa käyttöön', warn: 'Harkitsemisen arvoinen', note: 'Huomautus' },
}
