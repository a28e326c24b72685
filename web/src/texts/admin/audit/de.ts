import type { Words } from './en'

export const de: Words = {
  title: 'Prüfprotokoll', lead: 'Wer was wann getan hat; jede Zeile ist an die vorige gekettet. Dass Sie es lesen, wird auch festgehalten.', none: 'Keine passenden Zeilen.',
  tabs: { rows: 'Zeilen', whole: 'Nachweis', anchors: 'Anker' },
  seq: 'Zeile', at: 'Zeit', class: 'Klasse', actor: 'Wer', action: 'Was', object: 'Gegenstand', change: 'Alt → neu', about: 'Über', since: 'Von', until: 'Bis', objectHint: 'Art oder Art:Name', q: 'Suche',
  classes: { presence: 'Anwesenheit', config: 'Einstellungen', rights: 'Rechte', modify: 'Änderungen', read: 'Einsicht', failure: 'Fehler', system: 'System' },
  was: 'Alt', becomes: 'Neu', unset: 'nichts', erased: '(gelöscht)', erasedHint: 'Die Person wurde gelöscht: Der Schlüssel des Wertes ist vernichtet. Die Kette gilt weiter.', none_: '–', detail: (seq) => `Zeile ${seq}`, openRow: (seq) => `Zeile ${seq} öffnen`,
  export: 'JSONL exportieren', exportLead: 'Ganze Zeilen mit ihren Hashes, wie `sayso audit verify --file` sie liest. Sie bekommen, was Sie filtern.',
  verify: 'Protokoll prüfen', verifyLead: 'Rechnet jedes Glied der Kette neu und vergleicht die Anker. Eine Million Zeilen dauert Sekunden.', verifying: 'Wird geprüft…', whole: 'Das Protokoll ist ganz', broken: 'Das Protokoll ist gebrochen',
  rows: (n, took) => `${n} Zeilen in ${took}`, head: 'Kopf der Kette', faultAt: (seq) => `Erste gebrochene Zeile: ${seq}`, anchorsChecked: (n) => `Verglichene Anker: ${n}`, anchorFault: 'Ein Anker passt nicht', notVerified: 'In dieser Sitzung nicht geprüft.',
  anchors: 'Anker', anchorsLead: 'Der Kopf der Kette, signiert und anderswo abgelegt: Wird das Ende abgeschnitten, zeigt es ein Anker.', noAnchors: 'Noch keine Anker.', hash: 'Hash', to: 'Wo', state: 'Zustand', states: { anchored: 'Verankert', failed: 'Fehlgeschlagen' }, anchorNow: 'Jetzt verankern', anchored: (seq, to) => `Verankert bei Zeile ${seq}: ${to}.`, notAnchored: (to) => `Nicht verankert: ${to}.`,
}
