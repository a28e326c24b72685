import type { Words } from './en'

export const fi: Words = {
  title: 'Järjestelmäasetukset', lead: 'Mikä koskee kaikkia, ellei jono sano muuta.',
  needsRecording: 'Säilytysajat asettaa se, joka saa määrittää tallennusta.',
  retention: 'Säilytys', retentionLead: 'Muutokset koskevat jo tallennettua. Simuloi ne ensin Säilytys-sivulla.', passwords: 'Salasanat ja kirjautuminen', sessions: 'Istunnot', audit: 'Tarkastusloki', privacy: 'Henkilötiedot', webhooks: 'Webhookit', place: 'Aika',
  names: {
    'time-zone': 'Aikavyöhyke', 'retention-calls': 'Puhelutietoja säilytetään', 'retention-recordings': 'Tallenteita säilytetään', 'retention-reporting': 'Raportointitietoja säilytetään',
    'password-longer-than': 'Salasanat ovat pidempiä kuin (merkkiä)', 'password-history': 'Aiemmat salasanat, joita ei voi käyttää uudelleen', 'password-expires': 'Salasanat vanhenevat', 'lock-after': 'Virheitä ennen lukitusta', 'lock-for': 'Lukitus kestää',
    'session-idle': 'Istunto päättyy käyttämättömänä', 'session-absolute': 'Istunto päättyy viimeistään', 'second-factor': 'Toinen tunnistustapa', 'audit-off': 'Kirjattavat luokat', 'anchor-every': 'Ketjun pää ankkuroidaan välein', 'anchor-to': 'Ankkuroidaan',
    'second-approver': 'Poistamiseen tarvitaan toinen henkilö', 'keep-reports': 'Raportteja ja zip-tiedostoja säilytetään', 'webhook-networks': 'Yksityisverkot, joihin webhookit saavat lähettää',
  },
  hints: {
    'time-zone': 'Jolla aukioloajat ja päivät tarkoitetaan: Europe/Vienna.', 'retention-calls': 'Sitten tallenteet poistuvat ja puheluista tulee nimettömiä.', 'retention-reporting': 'Nimettömiä lukuja; sitten nekin poistuvat.',
    'audit-off': '”rights” ja ”modify” ovat aina päällä: ne todistavat suostumukset ja tuhoamiset.', 'anchor-to': 'Tiedosto (/polku/anchors.jsonl), ”store” tai ”webhook NIMI”.', 'second-approver': 'Toisen käyttäjän, jolla on oikeus, on hyväksyttävä.',
    'webhook-networks': 'Ei yhtään: webhookit lähetetään vain julkisiin osoitteisiin, ei edes tälle koneelle. 10.1.0.0/16, 127.0.0.1; vain pääkäyttäjä muuttaa tätä.',
  },
  factors: { optional: 'Kuka haluaa', required: 'Kaikki, jotka kirjautuvat salasanalla' },
  classes: {
    presence: 'Asiakaspalvelijat tulevat, menevät, ovat valmiina tai eivät', config: 'Asetuksia muutettu', rights: 'Oikeuksia ja salasanoja muutettu', modify: 'Tietoja syntynyt, muutettu tai tuhottu', read: 'Tietoja katsottu tai viety', failure: 'Jotain evättiin tai meni vikaan',
    system: 'Puhelujen ja palvelimen kulku',
  },
}
