import type { Words } from './en'

export const fi: Words = {
  title: 'Runkoyhteydet', lead: 'Operaattorit, joilta puhelut tulevat ja joille ne menevät.', add: 'Uusi runkoyhteys', empty: 'Ei vielä runkoyhteyksiä. Ohjattu toiminto auttaa tekemään sellaisen.',
  steps: { identity: 'Mikä se on', outbound: 'Puhelut ulos', media: 'Ääni', numbers: 'Numerot' },
  identityLead: 'Runkoyhteys tunnetaan verkoista, joista se soittaa, kirjautumisesta tai molemmista. Jolle vain soitetaan, ei tarvitse kumpaakaan.', outboundLead: 'Minne puhelut ulkonumeroihin menevät. Jätä pois, jos yhteys vain tuo puheluja.',
  mediaLead: 'Mitä tälle yhteydelle tarjotaan.', numbersLead: 'Mitkä yhteyden numerot johtavat mihinkin jonoon.', name: 'Runkoyhteyden nimi', nameHint: 'Esimerkiksi operaattori: carrier-fi',
  outboundOn: 'Puhelut menevät ulos tätä kautta',
  store: 'Tallenna ja jatka', finish: 'Valmis', addNumber: 'Lisää numero', number: 'Numero', queue: 'Jono', stored: 'Tallennettu.', existing: 'Numerot tähän asti', noNumbers: 'Ei vielä numeroita.', step: (n, of) => `Vaihe ${n}/${of}`,
  srtp: { off: 'Salaamaton', optional: 'Salattu kun mahdollista', required: 'Aina salattu' }, inbound: 'Sisään', outboundShort: 'Ulos', both: 'Sisään ja ulos', direction: 'Suunta', identified: 'Tunnetaan', login: (user) => `kirjautuminen ${user}`,
  names: {
    'networks': 'Verkot, joista se soittaa', 'digest': 'Kirjautuminen', 'digest.user': 'Sen käyttäjä täällä', 'digest.password': 'Sen salasana täällä', 'max-calls': 'Puheluja yhtä aikaa enintään', 'calls-per-second': 'Uusia puheluja sekunnissa enintään', 'region': 'Maa numeroille ilman +',
    'codecs': 'Koodekit', 'srtp': 'Äänen salaus', 'in-band-digits': 'Kuuntele näppäinäänet äänestä (ei telephone event -tietoja)', 'release-path': 'Ulos siirron jälkeen poistu reitiltä (REFER)', 'outbound': 'Puhelut ulos', 'outbound.server': 'Palvelin', 'outbound.user': 'Meidän käyttäjämme siellä',
    'outbound.password': 'Meidän salasanamme siellä', 'outbound.register': 'Rekisteröidy sinne', 'outbound.caller-id': 'Näytettävä numero', 'outbound.prefixes': 'Numerot, jotka alkavat', 'server': 'Palvelin', 'user': 'Käyttäjä', 'password': 'Salasana', 'caller-id': 'Näytettävä numero', 'prefixes': 'Numerot, jotka alkavat', 'register': 'Rekisteröidy sinne',
  },
  hints: {
    networks: '192.0.2.0/24, 2001:db8::/32 tai yksittäisiä osoitteita; Enter jokaisen jälkeen.', server: 'sip:carrier.example, sip:192.0.2.1:5070;transport=tcp, sips:carrier.example', region: 'Kaksi kirjainta: FI', prefixes: 'Oletus: +, eli kaikki.', callerId: '+358942450000', codecs: 'Paras ensin: g722, pcma, pcmu, opus.',
    userNeeded: 'Rekisteröityminen vaatii käyttäjämme siellä.',
  },
}
