import type { Words } from './en'

export const fi: Words = {
  title: 'Tarkastusloki', lead: 'Kuka teki mitä ja milloin; jokainen rivi on ketjutettu edelliseen. Myös lukeminen kirjataan.', none: 'Sopivia rivejä ei ole.',
  tabs: { rows: 'Rivit', whole: 'Eheys', anchors: 'Ankkurit' },
  seq: 'Rivi', at: 'Aika', class: 'Luokka', actor: 'Kuka', action: 'Mitä', object: 'Kohde', change: 'Vanha → uusi', about: 'Koskee', since: 'Alkaen', until: 'Asti', objectHint: 'laji tai laji:nimi', q: 'Haku',
  classes: { presence: 'Läsnäolo', config: 'Asetukset', rights: 'Oikeudet', modify: 'Muutokset', read: 'Lukeminen', failure: 'Virheet', system: 'Järjestelmä' },
  was: 'Vanha', becomes: 'Uusi', unset: 'ei mitään', erased: '(poistettu)', erasedHint: 'Henkilön tiedot poistettiin: arvon avain on tuhottu. Ketju pätee yhä.', none_: '–', detail: (seq) => `Rivi ${seq}`, openRow: (seq) => `Avaa rivi ${seq}`,
  export: 'Vie JSONL', exportLead: 'Kokonaiset rivit tiivisteineen, kuten `sayso audit verify --file` lukee ne. Saat sen, mitä suodatat.',
  verify: 'Tarkista loki', verifyLead: 'Laskee ketjun jokaisen lenkin uudelleen ja vertaa ankkureihin. Miljoona riviä vie sekunteja.', verifying: 'Tarkistetaan…', whole: 'Loki on eheä', broken: 'Loki on rikki',
  rows: (n, took) => `${n} riviä, ${took}`, head: 'Ketjun pää', faultAt: (seq) => `Ensimmäinen rikkinäinen rivi: ${seq}`, anchorsChecked: (n) => `Verrattuja ankkureita: ${n}`, anchorFault: 'Ankkuri ei täsmää', notVerified: 'Ei tarkistettu tässä istunnossa.',
  anchors: 'Ankkurit', anchorsLead: 'Ketjun pää allekirjoitettuna ja muualle kirjoitettuna: jos lopusta leikataan rivejä, ankkuri paljastaa sen.', noAnchors: 'Ei vielä ankkureita.', hash: 'Tiiviste', to: 'Minne', state: 'Tila', states: { anchored: 'Ankkuroitu', failed: 'Epäonnistui' }, anchorNow: 'Ankkuroi nyt', anchored: (seq, to) => `Ankkuroitu riville ${seq}: ${to}.`, notAnchored: (to) => `Ei ankkuroitu: ${to}.`,
}
