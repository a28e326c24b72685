export const en = {
  title: 'Webhooks', lead: 'Other systems are told what happens here: signed, and tried again until they take it. Neither numbers nor names are sent.', add: 'New webhook', empty: 'No webhooks yet.',
  names: { url: 'Address', secret: 'Key of the signature', events: 'Events', enabled: 'Enabled' }, urlHint: 'https://…, or http:// to this machine.', make: 'Make a key', states: { on: 'On', off: 'Off' },
  older: 'Load older ones',
  deliveries: 'Deliveries', deliveriesLead: 'What was sent, the latest first.', noDeliveries: 'Nothing was sent yet.', event: 'Event', at: 'Time', attempts: 'Attempts', state: 'State', status: 'Answer', what: 'What was said', next: 'Next attempt',
  delivery: { waiting: 'Waiting', delivered: 'Delivered', failed: 'Given up' }, retry: 'Send again', retryOf: (event: string, at: string) => `Send again: ${event}, ${at}`, retried: 'It is sent again.',
  test: 'Send a test', testOk: (status: number | null) => `It was taken (${status ?? ''}).`, testBad: (what: string) => `It was not taken: ${what}`, testLead: 'Sends the event “test” now, by the settings that are stored.',
  events: {
    'call.ended': 'A call ended', 'consent.given': 'Consent given', 'consent.refused': 'Consent refused', 'consent.withdrawn': 'Consent withdrawn', 'recording.stored': 'Recording stored', 'recording.failed': 'Recording failed',
    'recording.removed': 'Recording removed', 'recording.overridden': 'Recorded without consent', 'audit.alarm': 'Alarm', 'audit.anchor': 'Audit log anchored',
  },
}

export type Words = typeof en
