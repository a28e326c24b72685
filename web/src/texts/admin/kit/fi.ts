import type { Words } from './en'

export const fi: Words = {
  table: {
    filters: 'Suodattimet', clear: 'Tyhjennä suodattimet', csv: 'Vie CSV', more: 'Näytä lisää', none: 'Mitään ei löytynyt.', any: 'Kaikki',
    search: 'Hae', shown: (n, more) => `${n}${more ? '+' : ''} ${n === 1 ? 'rivi' : 'riviä'}`,
    refresh: 'Päivitä', open: (name) => `Avaa ${name}`, actions: 'Toiminnot',
    newest: 'uusin ensin', oldest: 'vanhin ensin', from: 'Alkaen', to: 'Asti',
  },
  confirm: { reason: 'Syy', missing: 'Kirjoita syy.', cancel: 'Peruuta', yes: 'Kyllä', no: 'Ei' },
  work: { done: (done, total) => `${done}/${total}`, running: 'Käynnissä…' },
  form: {
    save: 'Tallenna', saved: 'Tallennettu.', revert: 'Hylkää muutokset', remove: 'Poista', removed: 'Poistettu.', add: 'Lisää', create: 'Luo', cancel: 'Peruuta', close: 'Sulje',
    name: 'Nimi', nameHint: 'Kirjaimia, numeroita, . - ja _; ei voi muuttaa myöhemmin.', nameBad: 'Vain 1–64 kirjainta (a–z), numeroita, . - ja _.',
    unsaved: 'Muutoksia ei ole tallennettu.', readOnly: 'Voit katsoa tätä, mutta et muuttaa.', copy: 'Kopioi', copied: 'Kopioitu.',
    wrong: 'Tätä ei voi vielä tallentaa:', usual: (value) => `Oletus: ${value}`, systemDefault: (value) => `Kuten järjestelmässä: ${value}`,
    systemUnknown: 'Kuten järjestelmässä',
    forever: 'Pysyvästi', for: 'Ajan', never: 'Ei koskaan', amount: 'Määrä', unit: 'Yksikkö', optional: 'valinnainen', secretKept: 'Jätä tyhjäksi, jos tallennettu säilyy.',
    new: 'Uusi', change: 'Muuta', test: 'Testaa', details: 'Tiedot',
    listHint: 'Paina Enter jokaisen jälkeen.', back: 'Takaisin', next: 'Seuraava', removeLead: (name) => `”${name}” poistetaan. Tätä ei voi perua.`, removeKept: 'Poista silti: sen säilyttämät tallenteet ja puhelut poistuvat aiemmin.', exists: 'Tämänniminen on jo olemassa.',
    yes: 'Kyllä', no: 'Ei', on: 'Päällä', off: 'Pois', none: '–', all: 'Kaikki', loading: 'Ladataan…', retry: 'Yritä uudelleen',
  },
  units: {
    d: (n) => (n === 1 ? 'päivä' : 'päivää'), h: (n) => (n === 1 ? 'tunti' : 'tuntia'), m: (n) => (n === 1 ? 'minuutti' : 'minuuttia'),
    s: (n) => (n === 1 ? 'sekunti' : 'sekuntia'), ms: () => 'ms',
  },
  conflict: {
    title: 'Joku muu ehti ensin',
    lead: 'Tätä muutettiin, kun muokkasit sitä. Valitse jokaisesta erosta, kumpi jää voimaan, ja tallenna.',
    choose: 'Valinta', field: 'Asetus', before: 'Ennen', mine: 'Sinun', theirs: 'Nyt tallennettuna', save: 'Tallenna valitut', takeTheirs: 'Hylkää omani',
    none: 'Molemmat ovat nyt samat. Tallenna uudelleen tai hylkää omasi.', unset: 'ei asetettu', gone: 'Joku muu poisti sen sillä välin.',
  },
  chart: { asTable: 'Taulukkona', total: 'Yhteensä', noData: 'Ei vielä lukuja.' },
  fault: { changed: 'Joku muu muutti sitä. Lataa uudelleen ja yritä vielä kerran.', refused: 'Muut viittaavat siihen.', gone: 'Sitä ei enää ole.', tooMany: 'Liian monta. Odota hetki.', own: 'Siihen tarvitaan toinen henkilö.' },
}
