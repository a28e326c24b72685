import type { Words } from './en'

export const fi: Words = {
  title: 'Kirjautuminen', lead: 'Kuka muu saa kertoa, kuka joku on: OpenID Connect -palvelut, tarjolla kirjautumissivulla.', add: 'Uusi palvelu', empty: 'Ei mitään: kirjaudutaan tämän järjestelmän tunnuksella ja salasanalla.',
  names: {
    'display-name': 'Nimi kirjautumissivulla', 'issuer': 'Myöntäjä (issuer)', 'client-id': 'Asiakastunnus', 'client-secret': 'Asiakkaan salaisuus', 'scopes': 'Laajuudet ”openid”-laajuuden lisäksi', 'user-claim': 'Käyttäjätunnuksen väite',
    'role-claim': 'Ryhmien väite', 'roles': 'Ryhmät ja roolit', 'make-users': 'Luo tuntemattomat käyttäjät ensimmäisellä kirjautumisella',
  },
  hints: {
    issuer: 'https://login.example.com: sen alla on /.well-known/openid-configuration.', secret: 'Tyhjä julkiselle asiakkaalle (pelkkä PKCE).', roles: 'Ensimmäinen sopiva ratkaisee. Kenelle mikään ei sovi, pääsee vain, jos käyttäjä on täällä.',
    callback: (url) => `Anna palvelulle tämä paluuosoite: ${url}`,
  },
  group: 'Ryhmä', role: 'Rooli', addPair: 'Lisää ryhmä', removePair: (group) => `Poista ${group}`, pairN: (n) => `Ryhmä ${n}`,
}
