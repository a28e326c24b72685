import type { Words } from './en'

export const fi: Words = {
  id: 'Käyttäjätunnus',
  title: 'Käyttäjät', lead: 'Kuka saa kirjautua, minä ja mihin jonoihin.', add: 'Uusi käyttäjä', empty: 'Ei vielä käyttäjiä.',
  rightsPart: 'Oikeudet', person: 'Henkilö', grants: 'Oikeudet roolin lisäksi', grantsLead: 'Vain tälle käyttäjälle. Kaksi viimeistä eivät ole missään roolissa.', more: 'Kaikki muut oikeudet',
  notOwn: 'Kukaan ei muuta omia oikeuksiaan.', needsRoles: 'Oikeudet myöntää se, joka saa hallita rooleja.', noAgent: 'Ei asiakaspalvelija', allQueues: 'Tyhjä: kaikki jonot.', passwordHint: 'Ensimmäinen salasana: käyttäjä valitsee toisen ensimmäisellä kirjautumisella.',
  names: {
    'display-name': 'Nimi', 'role': 'Rooli', 'password': 'Salasana', 'must-change': 'Valittava salasana seuraavalla kirjautumisella', 'agent': 'Ottaa puheluja nimellä', 'language': 'Kieli',
    'grants': 'Oikeudet roolin lisäksi', 'only-queues': 'Vain nämä jonot',
  },
  asBrowser: 'Kuten selain',
  state: 'Tila', locked: (moment) => `Lukittu ${moment} asti`, open: 'Ei lukittu', failures: 'Epäonnistuneita kirjautumisia', sessions: 'Istuntoja', secondFactor: 'Toinen tunnistustapa', lastLogIn: 'Viimeksi kirjautunut', never: 'ei koskaan', on: 'päällä', off: 'pois',
  unlock: 'Avaa lukitus', unlocked: 'Lukitus avattu.', endSessions: 'Päätä kaikki istunnot', endLead: (name) => `Käyttäjän ${name} on kirjauduttava uudelleen kaikkialla.`, ended: 'Kaikki istunnot päätettiin.',
  dropFactor: 'Poista toinen tunnistustapa', dropLead: (name) => `${name} kirjautuu pelkällä salasanalla, kunnes uusi lisätään. Tee tämä vain, jos laite on kadonnut ja tiedät, kuka pyytää.`, dropped: 'Toinen tunnistustapa poistettu.',
}
