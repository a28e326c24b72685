import type { Words } from './en'

export const de: Words = {
  title: 'Anmeldung & Sicherheit', lead: 'Ihr Passwort, Ihr zweiter Faktor und Ihre Sitzungen.',
  code: 'Code', codeLead: 'Geben Sie den Code ein, den Ihr Gerät zeigt, oder einen Ihrer Wiederherstellungscodes.', codeWrong: 'Dieser Code ist falsch oder schon benutzt.', confirm: 'Bestätigen', backToPassword: 'Zurück',
  or: 'oder', with: (provider) => `Mit ${provider} anmelden`,
  faults: {
    'no-provider': 'Diesen Anbieter gibt es nicht mehr.',
    'sign-on-late': 'Das hat zu lange gedauert. Versuchen Sie es erneut.',
    'sign-on-refused': 'Der Anbieter hat die Anmeldung abgelehnt.',
    'provider-away': 'Der Anbieter ist nicht erreichbar.',
    'sign-on-failed': 'Was der Anbieter sagte, ist nicht vertrauenswürdig. Sagen Sie es Ihrer Verwaltung.',
    'no-user': 'Niemand heißt hier wie Ihr Konto dort. Fragen Sie Ihre Verwaltung.',
    'no-role': 'Ihr Konto dort hat hier keine Rolle. Fragen Sie Ihre Verwaltung.',
    'bad-name': 'Der Name Ihres Kontos dort ist hier nicht brauchbar. Fragen Sie Ihre Verwaltung.',
    'other-person': 'Dieser Name gehört hier jemand anderem. Fragen Sie Ihre Verwaltung.',
    'too-many': 'Zu viele Versuche. Warten Sie ein paar Minuten.',
  },
  faultOther: (title) => `Die Anmeldung hat nicht geklappt (${title}).`,
  password: 'Passwort', changePassword: 'Passwort ändern', changed: 'Passwort geändert. Ihre anderen Sitzungen sind beendet.', expires: (date) => `Es muss bis ${date} geändert werden.`, old: 'Bisheriges Passwort',
  longer: (n) => `Mehr als ${n} Zeichen; ein paar Wörter hintereinander sind gut.`, fresh: 'Neues Passwort', again: 'Neues Passwort, noch einmal',
  factor: 'Zweiter Faktor', factorOff: 'Aus: Ihr Passwort allein genügt.', factorOn: 'An: Bei jeder Anmeldung wird ein Code Ihres Geräts verlangt.', factorNone: 'Sie melden sich über einen anderen Anbieter an: Er fragt selbst nach zweiten Faktoren.',
  add: 'Zweiten Faktor hinzufügen', remove: 'Entfernen', removeLead: 'Ihr Passwort allein wird genügen. Geben Sie es ein, um fortzufahren.', removed: 'Zweiter Faktor entfernt.',
  must: 'Zweiten Faktor hinzufügen', mustLead: 'Ihre Verwaltung verlangt von allen einen zweiten Faktor. Fügen Sie einen hinzu, um fortzufahren.',
  scan: 'Lesen Sie das mit einer Authenticator-App auf Ihrem Telefon ein, und geben Sie dann den Code ein, den sie zeigt.', qr: 'QR-Code des Schlüssels', orType: 'Oder tippen Sie diesen Schlüssel in die App:', turnOn: 'Einschalten',
  recovery: 'Wiederherstellungscodes', recoveryLead: 'Jeder lässt Sie einmal hinein, falls Ihr Gerät verloren geht. Bewahren Sie sie auf, wo nur Sie sie finden: Sie werden nicht noch einmal gezeigt.', save: 'Als Datei speichern', copy: 'Kopieren', copied: 'Kopiert.', kept: 'Ich habe sie aufbewahrt', fileName: 'sayso-wiederherstellungscodes.txt',
  sessions: 'Sitzungen', sessionsLead: 'Wo Sie angemeldet sind.', since: 'Seit', used: 'Zuletzt benutzt', by: 'Durch', here: 'Diese', end: 'Beenden', endOf: (since) => `Die Sitzung seit ${since} beenden`, ended: 'Sitzung beendet.',
  ways: { password: 'Passwort', token: 'Token' },
}
