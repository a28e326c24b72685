import type { Words } from './en'

export const fi: Words = {
  title: 'Kunto', lead: 'Onko kaikki hyvin, ja jos ei, mitä pitää tehdä.', well: 'Kaikki on kunnossa.', alarms: 'Hälytykset', since: 'Alkaen', what: 'Mitä',
  kinds: {
    'upload-backlog': 'Siirrot ruuhkautuvat', 'disk-reserve': 'Levy lähes täynnä', 'store-away': 'Varastoon ei saada yhteyttä', 'object-conflict': 'Tallenteen paikalla on jotain muuta',
    'destruction-waits': 'Tuhoaminen odottaa', 'recording-failed': 'Tallennus epäonnistuu', 'recording-damaged': 'Tallenne on vahingoittunut', 'recording-lost': 'Tallenne on kadonnut',
    'keys-away': 'Avaimiin ei saada yhteyttä', 'job-fails': 'Työ epäonnistuu toistuvasti', 'reconciliation': 'Tietokanta ja varasto eroavat', 'retention-lag': 'Säilytys on myöhässä',
    'audit-anchor': 'Ankkurointi epäonnistuu', 'webhook': 'Webhook luovutti',
  },
  hints: {
    'upload-backlog': 'Tarkista, saadaanko varastoon yhteys ja onko se riittävän nopea; puhelut jatkuvat.', 'disk-reserve': 'Tee tilaa välivaraston levylle: ilman sitä tallennus pysähtyy.',
    'store-away': 'Tarkista varaston osoite, tunnukset ja verkko. Tallenteet odottavat välivarastossa.', 'object-conflict': 'Joku muu kirjoittaa varastoon. Katso kohdetta ennen kuin poistat sen.',
    'destruction-waits': 'Kopiot odottavat poistoa; avain on jo poissa. Katso työn virhe alta.', 'recording-failed': 'Katso solmun levy ja loki.',
    'recording-damaged': 'Vertaa varaston varmuuskopioon; älä poista mitään.', 'recording-lost': 'Mikään ei palauta sitä; kirjaa syy.', 'keys-away': 'Tarkista avainpalvelu; ilman sitä mitään ei voi kuunnella tai tallentaa.',
    'job-fails': 'Katso virhe alta, korjaa syy ja yritä uudelleen.', 'reconciliation': 'Avaa viimeisin vertailu alta.', 'retention-lag': 'Tietoja säilytetään luvattua pidempään. Katso työt alta.',
    'audit-anchor': 'Katso tarkastuslokin ankkurit: niiden kohteeseen ei saada yhteyttä.', 'webhook': 'Katso webhookin toimitukset; korjaa vastaanottaja ja yritä uudelleen.',
  },
  nodes: 'Solmut', node: 'Solmu', version: 'Versio', up: 'Käynnissä alkaen', seen: 'Nähty', calls: 'Puheluja', state: 'Tila', draining: 'Tyhjenee', working: 'Toimii', gone: 'Ei nähty', here: 'tämä', noNodes: 'Ei solmuja.',
  jobs: 'Työt', jobsLead: 'Mitä on tekemättä, vanhin ensin.', noJobs: 'Mikään ei odota.', kind: 'Laji', waiting: 'Odottaa', running: 'Käynnissä', failing: 'Epäonnistuu', oldest: 'Vanhin', subject: 'Koskee', attempts: 'Yrityksiä', due: 'Vuorossa', progress: 'Edistyminen', error: 'Viimeisin virhe', retry: 'Yritä nyt', retryOf: (kind, subject) => `Yritä uudelleen: ${kind} ${subject}`, retried: 'Se on nyt vuorossa.',
  jobKinds: { rescue: 'Pelastus kaatumisen jälkeen', encode: 'Pakkaus', upload: 'Siirto', destroy: 'Tuhoaminen', reconcile: 'Vertailu', retention: 'Säilytys', privacy: 'Henkilötiedot', webhook: 'Webhook', anchor: 'Ankkuri' },
  running_: (who) => `käynnissä: ${who}`, progressOf: (kind) => `Edistyminen: ${kind}`,
  reconciliations: 'Tietokannan ja varaston vertailut', reconciliationsLead: 'Kukin löytää sen, mikä on toisessa mutta ei toisessa.', noReconciliations: 'Ei vielä.', begin: 'Vertaa nyt', begun: 'Vertailu alkaa.', began: 'Alkoi', ended: 'Päättyi', by: 'Tekijä', findings: 'Löydökset', openOf: (when) => `Avaa vertailu ${when}`,
  recStates: { running: 'Käynnissä', ended: 'Päättynyt', failed: 'Luovutti' }, detail: (when) => `Vertailu ${when}`, noFindings: 'Ei löydöksiä: molemmat täsmäävät.', resolved: 'Selvitetty', orphan: 'Poista…', orphanTitle: 'Poista tämä kohde varastosta', orphanLead: 'Se ei kuulu mihinkään tunnettuun tallenteeseen. Poistettuna se on lopullisesti poissa.', orphanConfirm: 'Poista lopullisesti', orphanOf: (name) => `Poista ${name}`, removed: 'Poistettu.', counts: 'Luvut',
  findingKinds: {
    'orphan': 'Kohde ilman tallennetta', 'lost': 'Tallenne ilman kohdetta', 'wrong-size': 'Väärä koko', 'wrong-content': 'Väärä sisältö', 'unfinished-upload': 'Keskeneräinen siirto', 'late-job': 'Myöhästynyt työ', 'no-job': 'Työ puuttuu',
    'spool-lost': 'Välitiedosto puuttuu', 'spool-orphan': 'Välitiedosto ilman tallennetta', 'spool-left': 'Välitiedosto jäi', 'stuck': 'Jumissa', 'segments-left': 'Osia jäi', 'not-gone': 'Tuhottu, mutta yhä olemassa', 'unknown-kek': 'Tuntematon avain', 'call-failed': 'Puhelua ei voitu arvioida',
  },
  countNames: {
    'calls': 'Arvioituja puheluja', 'recorded': 'Tallennettu', 'not-recorded': 'Oikein tallentamatta', 'failed': 'Epäonnistui', 'open': 'Kesken', 'recordings': 'Tallenteita', 'objects': 'Kohteita', 'bytes': 'Koko', 'verified': 'Luettu ja tiivistetty',
    'traced': 'Tuhottuja etsitty', 'elsewhere': 'Muiden solmujen välivarastoissa', 'healed': 'Korjattu', 'losses': 'Äänen menetyksiä', 'failed-lately': 'Epäonnistui äskettäin',
  },
  faults: { 'not-now': 'Se kuuluu jo tallenteeseen.', 'locked': 'Varasto pitää sen lukittuna.', 'store-away': 'Varastoon ei saada yhteyttä.', 'no-orphan': 'Sitä ei enää ole.' },
  none: '–', now: 'nyt',
}
