import type { Words } from './en'

export const fi: Words = {
  title: 'Puhekehotteet', lead: 'Mitä soittajat kuulevat, kaikissa jonoissa tai yhdessä. Mukana tulleet voi korvata; aiemmat versiot säilyvät.', empty: 'Ei kehotteita.', add: 'Uusi kehote',
  forAll: 'Kaikki jonot', queue: 'Jono', language: 'Kieli', noLanguage: 'ei ole (musiikki)', name: 'Kehote', source: 'Lähde', length: 'Pituus', loudness: 'Äänekkyys', text: 'Mitä se sanoo', usedBy: 'Käyttää', version: 'Versio',
  sources: { shipped: 'Mukana tullut', folder: 'Palvelimen kansio', imported: 'Oma', missing: 'Puuttuu' },
  replace: 'Korvaa', file: 'Tiedostosta', fileHint: 'WAV, MP3, M4A, FLAC, OGG, AIFF…', microphone: 'Mikrofonilla', record: 'Nauhoita', stop: 'Pysäytä', recording: (clock) => `Nauhoitetaan: ${clock}`, noMicrophone: 'Mikrofonia ei voi käyttää: salli se selaimessa tai kytke sellainen.',
  checking: 'Palvelin kuuntelee…', check: 'Miltä se tulee kuulostamaan', put: 'Ota käyttöön', discard: 'Hylkää', inForce: 'Se on nyt käytössä.', chosen: (name) => `Valittu: ${name}`, seconds: (n) => `${n} s`, peak: 'Huippu', clipped: 'Leikkautunut: äänekkäimmät kohdat katkeavat', silence: 'Hiljaisuus ennen ja jälkeen', converted: 'Muunnettu',
  hearNew: 'Kuuntele', hear: 'Kuuntele nykyinen', versions: 'Versiot', noVersions: 'Ei aiempia versioita.', at: 'Alkaen', by: 'Tekijä', restore: 'Palauta', restoreOf: (at) => `Palauta versio ${at}`, restored: 'Palautettu.', current: 'Käytössä', play: 'Toista',
  remove: 'Poista oma', removeLead: 'Soittajat kuulevat taas mukana tulleen tai kaikkien jonojen kehotteen.', removed: 'Poistettu.', saveText: 'Tallenna teksti', textSaved: 'Teksti tallennettu.', textHint: 'Tarkistus lukee sen: kertooko kysymys näppäimet, tarkoituksen ja säilytysajan.', textLead: 'Kirjoita, mitä puhutaan.',
  missingLead: 'Sen sijaan soitetaan englanninkielinen: nauhoita tai lataa tämänkielinen.', newLead: 'Vain yhden jonon kehote tai kieli, jolla ei vielä ole.', open: 'Jatka', prompts: 'Kaikki kehotteet',
  names: {
    'welcome': 'Tervetuloa', 'consent-question': 'Suostumuskysymys', 'thanks': 'Kiitos suostumuksesta', 'refused': 'Ei-vastauksen jälkeen', 'invalid-key': 'Väärä näppäin', 'please-wait': 'Odota hetki', 'position-many': 'Monta edelläsi', 'closed': 'Suljettu', 'music': 'Musiikki',
  },
  position: (n) => `Sija ${n} jonossa`,
}
