export const en = {
  title: 'Prompts', lead: 'What callers hear, for all queues or for one. Shipped ones can be replaced; earlier versions stay.', empty: 'No prompts.', add: 'New prompt',
  forAll: 'All queues', queue: 'Queue', language: 'Language', noLanguage: 'none (music)', name: 'Prompt', source: 'From', length: 'Length', loudness: 'Loudness', text: 'What it says', usedBy: 'Used by', version: 'Version',
  sources: { shipped: 'Shipped', folder: 'Folder of the server', imported: 'Your own', missing: 'Missing' },
  replace: 'Replace it', file: 'From a file', fileHint: 'WAV, MP3, M4A, FLAC, OGG, AIFF…', microphone: 'By microphone', record: 'Record', stop: 'Stop', recording: (clock: string) => `Recording: ${clock}`, noMicrophone: 'The microphone cannot be used: allow it in the browser, or plug one in.',
  checking: 'The server listens to it…', check: 'What it will sound like', put: 'Put in force', discard: 'Discard', inForce: 'It is in force now.', chosen: (name: string) => `Chosen: ${name}`, seconds: (n: string) => `${n} s`, peak: 'Peak', clipped: 'Clipped: the loudest parts are cut off', silence: 'Silence before and after', converted: 'Converted',
  hearNew: 'Hear it', hear: 'Hear it as it is', versions: 'Versions', noVersions: 'No earlier versions.', at: 'Since', by: 'By', restore: 'Restore', restoreOf: (at: string) => `Restore the version of ${at}`, restored: 'Restored.', current: 'In force', play: 'Play',
  remove: 'Remove your own', removeLead: 'Callers hear the shipped one again, or that for all queues.', removed: 'Removed.', saveText: 'Save text', textSaved: 'Text saved.', textHint: 'The linter reads it: whether the question names the keys, the purpose and how long recordings are kept.', textLead: 'Write down what is spoken.',
  missingLead: 'English is played instead: record or upload one in this language.', newLead: 'A prompt of a queue’s own, or for a language that has none yet.', open: 'Go on', prompts: 'All prompts',
  names: {
    'welcome': 'Welcome', 'consent-question': 'Consent question', 'thanks': 'Thanks for the yes', 'refused': 'After a no', 'invalid-key': 'Wrong key', 'please-wait': 'Please wait', 'position-many': 'Many before you', 'closed': 'Closed', 'music': 'Music',
  } as Record<string, string>,
  position: (n: string) => `Place ${n} in the queue`,
}

export type Words = typeof en
