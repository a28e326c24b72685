import type { Words } from './en'

export const fi: Words = {
  title: 'Roolit', lead: 'Roolilla on oikeuksia. Kiinteitä rooleja ei voi muuttaa: kopioi sellainen ja muuta kopiota.', add: 'Uusi rooli', empty: 'Ei vielä omia rooleja. Kopioi kiinteä rooli alta.',
  fixed: 'Kiinteät roolit', fixedLead: 'Aina olemassa ja kaikkialla samat.', copy: 'Kopioi', copyOf: (role) => `Kopioi ${role}`, rightsN: (n) => (n === 1 ? '1 oikeus' : `${n} oikeutta`),
  names: { description: 'Mihin se on', rights: 'Oikeudet' }, usedBy: 'Käyttäjät', from: (role) => `Kuten ${role}`,
  special: 'Näitä ei ole missään roolissa: ne myönnetään yhdelle käyttäjälle kerrallaan.',
  groups: { work: 'Puhelujen otto', supervise: 'Valvonta', recordings: 'Tallenteet', see: 'Katselu', configure: 'Määritys', special: 'Henkilötiedot' },
  roles: {
    'superuser': 'Pääkäyttäjä', 'supervisor': 'Esihenkilö', 'agent': 'Asiakaspalvelija', 'reporting': 'Raportointi', 'queue-administrator': 'Jonojen ylläpitäjä',
    'ivr-administrator': 'Kehotteiden ylläpitäjä', 'recording-administrator': 'Tallenteiden ylläpitäjä', 'advanced-monitoring': 'Laajennettu seuranta',
  },
  rights: {
    'take-calls': 'Puhelin täällä ja puhelujen otto', 'override': 'Tallennus ilman suostumusta, jos jono sallii', 'wallboard': 'Kaikki puhelut, asiakaspalvelijat ja jonot sellaisina kuin ovat',
    'listen-live': 'Käynnissä olevan keskustelun kuuntelu', 'whisper': 'Puhe vain asiakaspalvelijalle keskustelussa', 'barge': 'Puhe kaikille keskustelussa',
    'view-listening-logs': 'Kaikkien merkinnät kuuntelulokissa', 'listen-recordings': 'Tallenteiden kuuntelu', 'export-recordings': 'Tallenteiden vienti puhujien numeroineen',
    'destroy-recordings': 'Tallenteen tuhoaminen ennen aikaansa', 'manage-vault': 'Töiden katselu ja kiirehtiminen, tietokannan ja varaston vertailu, orpojen poisto',
    'view-calls': 'Menneet puhelut, niiden muistiinpanot ja tiedot', 'view-reports': 'Luvut: puhelut ja suostumukset jonoittain ja päivittäin', 'view-consents': 'Suostumukset numeroineen',
    'view-audit-log': 'Tarkastuslokin katselu, vienti ja tarkistus', 'configure-queues': 'Jonojen määritys: jakelu, aukiolo, ylivuoto, ajat', 'configure-recording': 'Mitä tallennetaan, millä perusteella ja kuinka kauan; säilytyksen simulointi',
    'configure-prompts': 'Kehotteiden lataus ja sisältö', 'configure-trunks': 'Runkoyhteyksien ja numeroiden määritys', 'configure-agents': 'Asiakaspalvelijoiden ja taitojen määritys', 'manage-users': 'Käyttäjien määritys (oikeudet myöntää vain roolien hallitsija)',
    'manage-roles': 'Roolien teko, oikeuksien myöntäminen, kirjautumisen määritys', 'configure-system': 'Webhookit, tunnisteet, salasanasäännöt, tarkastusloki', 'manage-holds': 'Tallenteiden ja puhelujen poiston esto',
    'monitor': 'Kunto: solmut, hälytykset, työt, puhelun SIP-viestit', 'dpo': 'Henkilöstä tunnetun haku, raportti, poisto ja rajoitus', 'customer-consent': 'Suostumusten vienti, nollaus ja peruutus',
  },
}
