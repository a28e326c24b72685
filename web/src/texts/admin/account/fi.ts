import type { Words } from './en'

export const fi: Words = {
  title: 'Kirjautuminen ja turvallisuus', lead: 'Salasanasi, toinen tunnistustapasi ja istuntosi.',
  code: 'Koodi', codeLead: 'Kirjoita laitteesi näyttämä koodi tai jokin palautuskoodeistasi.', codeWrong: 'Koodi on väärä tai jo käytetty.', confirm: 'Vahvista', backToPassword: 'Takaisin',
  or: 'tai', with: (provider) => `Kirjaudu: ${provider}`,
  faults: {
    'no-provider': 'Palvelua ei enää ole.',
    'sign-on-late': 'Se kesti liian kauan. Yritä uudelleen.',
    'sign-on-refused': 'Palvelu hylkäsi kirjautumisen.',
    'provider-away': 'Palveluun ei saada yhteyttä.',
    'sign-on-failed': 'Palvelun vastaukseen ei voi luottaa. Kerro ylläpitäjälle.',
    'no-user': 'Kukaan täällä ei ole siellä olevan tilisi niminen. Kysy ylläpitäjältä.',
    'no-role': 'Siellä olevalla tililläsi ei ole roolia täällä. Kysy ylläpitäjältä.',
    'bad-name': 'Siellä olevan tilisi nimeä ei voi käyttää täällä. Kysy ylläpitäjältä.',
    'other-person': 'Nimi kuuluu täällä jollekulle muulle. Kysy ylläpitäjältä.',
    'too-many': 'Liian monta yritystä. Odota muutama minuutti.',
  },
  faultOther: (title) => `Kirjautuminen ei onnistunut (${title}).`,
  password: 'Salasana', changePassword: 'Vaihda salasana', changed: 'Salasana vaihdettu. Muut istuntosi päätettiin.', expires: (date) => `Se on vaihdettava viimeistään ${date}.`, old: 'Nykyinen salasana',
  longer: (n) => `Yli ${n} merkkiä; muutama sana peräkkäin käy hyvin.`, fresh: 'Uusi salasana', again: 'Uusi salasana uudelleen',
  factor: 'Toinen tunnistustapa', factorOff: 'Pois: pelkkä salasana riittää.', factorOn: 'Päällä: joka kirjautumisella kysytään laitteesi koodi.', factorNone: 'Kirjaudut toisen palvelun kautta: se kysyy toisen tunnistustavan itse.',
  add: 'Lisää toinen tunnistustapa', remove: 'Poista', removeLead: 'Pelkkä salasanasi tulee riittämään. Kirjoita se jatkaaksesi.', removed: 'Toinen tunnistustapa poistettu.',
  must: 'Lisää toinen tunnistustapa', mustLead: 'Ylläpitäjä vaatii kaikilta toisen tunnistustavan. Lisää se jatkaaksesi.',
  scan: 'Lue tämä puhelimesi tunnistussovelluksella ja kirjoita sitten sen näyttämä koodi.', qr: 'Avaimen QR-koodi', orType: 'Tai kirjoita tämä avain sovellukseen:', turnOn: 'Ota käyttöön',
  recovery: 'Palautuskoodit', recoveryLead: 'Kukin päästää sinut kerran sisään, jos laitteesi katoaa. Säilytä ne siellä, mistä vain sinä löydät ne: niitä ei näytetä uudelleen.', save: 'Tallenna tiedostoon', copy: 'Kopioi', copied: 'Kopioitu.', kept: 'Olen ottanut ne talteen', fileName: 'sayso-palautuskoodit.txt',
  sessions: 'Istunnot', sessionsLead: 'Missä olet kirjautuneena.', since: 'Alkaen', used: 'Viimeksi käytetty', by: 'Tapa', here: 'Tämä', end: 'Päätä', endOf: (since) => `Päätä istunto, joka alkoi ${since}`, ended: 'Istunto päätettiin.',
  ways: { password: 'Salasana', token: 'Tunniste' },
}
