import type { Words } from './en'

export const fi: Words = {
  title: 'Säilytys', lead: 'Miten kauan tietoja säilytetään. Kahdesta määräajasta aiempi poistaa tallenteen; kun puhelun aika on ohi, se anonymisoidaan, ja luvut säilyvät.',
  status: 'Tilanne', lag: 'Myöhässä', noLag: 'ajallaan', lastRun: 'Viimeinen ajo', never: 'ei koskaan', due: 'Nyt poistettavana', removedToday: 'Poistettu tänään', held: 'Poistokiellon alaisia',
  tabs: { rules: 'Säännöt', change: 'Muuta ja simuloi', holds: 'Poistokiellot' },
  rules: 'Voimassa olevat säännöt', whose: 'Kenen', system: 'Kaikki jonot', calls: 'Puhelutiedot', recordings: 'Tallenteet', reporting: 'Raportointitiedot', sentence: 'Mitä se tarkoittaa', own: 'oma sääntö', inherited: 'kuten järjestelmä',
  reportingLead: (span) => `Anonyymien raportointitietojen säilytys: ${span}.`,
  timeline: 'Mitä lähipäivinä poistuu', timelineRecordings: 'Tallenteita', timelineCalls: 'Anonymisoitavia puheluja', noTimeline: 'Lähipäivinä ei poistu mitään.',
  change: 'Muuta sääntöjä', changeLead: 'Mitään ei tallenneta ennen kuin tallennat. Simuloi ensin: näet, mitä poistuisi.', forever: 'Pysyvästi',
  addQueue: 'Jonon oma sääntö', simulate: 'Simuloi', simulating: 'Simuloidaan…', noChange: 'Mitään ei ole vielä muutettu.', save: 'Tallenna säännöt…', discard: 'Hylkää', stale: 'Säännöt ovat muuttuneet tämän simulaation jälkeen: simuloi uudelleen ennen tallennusta.',
  simulation: 'Mitä tapahtuisi', now: 'Nykyisillä säännöillä', proposed: 'Ehdotetuilla säännöillä', difference: 'Ero', took: (seconds) => `Simuloitu ajassa ${seconds}.`,
  impact: { recordings: 'Heti poistettavia tallenteita', bytes: 'Vapautuva tila', calls: 'Anonymisoitavia puheluja', rows: 'Poistettavia raportointirivejä', held: 'Poistokiellon alaisia' },
  from: 'Peräisin', byQueue: 'Jonoittain', examples: 'Esimerkkejä aiemmin poistuvista', noExamples: 'Mikään ei poistuisi aiemmin.', at: 'Tallennettu', goesAt: 'Poistuisi', after: 'Aikajana, jos tämä olisi voimassa',
  saveTitle: 'Ota nämä säännöt käyttöön', saveSooner: (recordings, calls) => `Seuraavalla ajolla poistetaan ${recordings} tallennetta ja anonymisoidaan ${calls} puhelua, jotka nykyisin säilytettäisiin. Mikään ei palauta niitä.`,
  saveLater: 'Mikään ei poistu aiemmin kuin muutenkin.', saveConfirm: 'Ota käyttöön', saved: 'Säännöt ovat voimassa.', changedMeanwhile: 'Joku muu muutti sillä välin sääntöä: se luettiin uudelleen. Katso muutoksesi ja simuloi vielä kerran.',
  partly: (done) => `Kaikkea ei voitu tallentaa. Tallennettu: ${done}.`,
  queue: 'Jono', recording: 'Tallenne',
}
