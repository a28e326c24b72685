import type { Words } from './en'

export const fi: Words = {
  title: 'Tunnisteet', lead: 'Koneille, jotka käyttävät rajapintaa. Tunnisteella on enintään tekijänsä oikeudet, ja se päättyy itsestään.', add: 'Uusi tunniste', empty: 'Ei vielä tunnisteita.',
  name: 'Nimi', nameHint: 'Mikä sitä käyttää: ”vienti-yolla”.', by: 'Tekijä', rights: 'Oikeudet', created: 'Tehty', expires: 'Päättyy', used: 'Viimeksi käytetty', state: 'Tila', never: 'ei koskaan', days: 'Voimassa (päivää)', daysHint: 'Enintään 365.',
  states: { valid: 'Voimassa', expired: 'Päättynyt', revoked: 'Peruttu' }, revoke: 'Peru', revokeOf: (name) => `Peru ${name}`, revokeLead: (name) => `”${name}” lakkaa toimimasta heti.`, revoked: 'Tunniste peruttu.',
  password: 'Salasanasi', passwordHint: 'Tunniste on voimassa istuntosi jälkeenkin: kirjoita salasanasi vielä kerran.',
  shown: 'Uusi tunniste', shownLead: 'Kopioi se nyt: sitä ei näytetä uudelleen. Se kuuluu otsakkeeseen ”Authorization: Bearer …”.', copy: 'Kopioi', copied: 'Kopioitu.', done: 'Valmis', secret: 'Tunniste', make: 'Tee tunniste', noRights: 'Valitse vähintään yksi oikeus.', noName: 'Anna sille nimi.',
}
