import type { Words } from './en'

export const fi: Words = {
  title: 'Jonot', lead: 'Missä soittajat odottavat, mitä heiltä kysytään, mitä tallennetaan ja kuinka kauan sitä säilytetään.', add: 'Uusi jono', empty: 'Ei vielä jonoja.',
  policy: 'Tallennus', distribution: 'Jakelu', hours: 'Aukioloajat',
  happens: 'Mitä tapahtuu', findings: 'Löydökset', noFindings: 'Ei huomautettavaa.', asking: 'Tarkistetaan…',
  levels: { stop: 'Seis', warn: 'Varoitus', note: 'Huomautus' },
  onlyRecording: 'Tallennussäännöt vaativat oikeuden määrittää tallennusta.', onlyQueues: 'Tämä osa vaatii oikeuden määrittää jonoja.',
  recordings: { consent: 'Kysymisen jälkeen', always: 'Aina', never: 'Ei koskaan' },
  recordingHints: {
    consent: 'Soittajilta kysytään. Vain kyllä tallennetaan.', always: 'Laki tai sopimus vaatii sen. Soittajille kerrotaan.', never: 'Mitään ei tallenneta eikä kysytä.',
  },
  strategies: { 'longest-idle': 'Pisimpään vapaana ollut ensin', 'round-robin': 'Vuorotellen', 'ring-all': 'Kaikille yhtä aikaa' },
  asks: { 'every-call': 'Joka puhelussa', 'when-unknown': 'Vain ne, jotka eivät ole vastanneet', 'older-than': 'Kun vastaus on vanhempi kuin' },
  failures: { continue: 'Jatka puhelua tallentamatta', 'drop-call': 'Lopeta puhelu' },
  ends: { hangup: 'Hyvästele ja katkaise', closedHangup: 'Soita suljettu-kehote ja katkaise', queue: 'Toinen jono' },
  basisKinds: { obligation: 'Lakisääteinen velvoite', contract: 'Sopimus' },
  basisHint: 'Mikä laki, mikä sopimus: esimerkiksi MiFID II 16 artiklan 7 kohta',
  keyHint: 'Yksi näppäin: 0–9, * tai #', always24: 'Aina auki', setHours: 'Tiettyinä aikoina',
  days: { mon: 'Maanantai', tue: 'Tiistai', wed: 'Keskiviikko', thu: 'Torstai', fri: 'Perjantai', sat: 'Lauantai', sun: 'Sunnuntai' },
  short: { mon: 'ma', tue: 'ti', wed: 'ke', thu: 'to', fri: 'pe', sat: 'la', sun: 'su' },
  closedDay: 'Suljettu', from: 'Alkaen', to: 'Asti', addSlot: (day) => `Lisää aika: ${day}`, removeSlot: (day, n) => `Poista aika ${n}: ${day}`,
  slot: (day, n) => `${day}, aika ${n}`,
  copyDown: 'Kopioi maanantai tiistaista perjantaihin', openFor: (hours) => `Auki ${hours} tuntia viikossa`, never: 'ei koskaan auki',
  slotFaults: { backwards: 'Loppu on ennen alkua.', overlap: 'Ajat menevät päällekkäin.', bad: 'Se ei ole kellonaika.' },
  closedDays: 'Suljettu näinä päivinä', closedHint: 'Muodossa 2026-12-25; Enter jokaisen jälkeen.', badDay: (day) => `${day} ei ole päivä muotoa 2026-12-25.`, inZone: 'Järjestelmän aikavyöhykkeellä.',
  names: {
    'language': 'Kieli', 'recording': 'Tallennus', 'legal-basis': 'Oikeusperuste', 'consent': 'Suostumuskysymys', 'yes': 'Kyllä-näppäin', 'no': 'Ei-näppäin',
    'attempts': 'Yrityksiä', 'timeout': 'Vastausaika', 'barge-in': 'Näppäimet toimivat jo kysymyksen aikana', 'ask': 'Keneltä kysytään',
    'override-allowed': 'Asiakaspalvelija voi tallentaa ilman suostumusta (perustellen)', 'pause-limit': 'Tauko päättyy itsestään', 'destroy-on-withdrawal': 'Peruutus tuhoaa puhelusta tallennetun',
    'on-recording-failure': 'Jos tallennus epäonnistuu', 'retention': 'Puhelutietoja säilytetään', 'file-removal': 'Tallenteita säilytetään', 'strategy': 'Kuka saa puhelun', 'skills': 'Vaaditut taidot',
    'priority': 'Etusija', 'ring-timeout': 'Soittoaika', 'wrap-up': 'Jälkityöaika', 'max-wait': 'Pisin odotus', 'overflow': 'Pisimmän odotuksen jälkeen', 'hours': 'Aukioloajat',
    'closed': 'Suljetut päivät', 'when-closed': 'Aukiolon ulkopuolella', 'position-every': 'Sija sanotaan', 'service-seconds': 'Palvelutaso (sekuntia)',
  },
  hints: {
    'retention': 'Sitten tallenteet poistuvat ja puhelusta tulee nimetön.', 'file-removal': 'Aiempi kahdesta määräajasta poistaa tallenteen.', 'skills': 'Vain asiakaspalvelijat, joilla on nämä kaikki, saavat sen puheluja.',
    'priority': 'Suuremman luvun jonon puhelut palvellaan ensin.', 'override-allowed': 'Hätätilanteita ja oikeusasioita varten; jokainen kerta kirjataan.',
  },
}
