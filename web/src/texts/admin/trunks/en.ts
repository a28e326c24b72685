export const en = {
  title: 'Trunks', lead: 'Carriers that calls come from and go to.', add: 'New trunk', empty: 'No trunks yet. The wizard leads through making one.',
  steps: { identity: 'Who it is', outbound: 'Calls out', media: 'Sound', numbers: 'Numbers' },
  identityLead: 'A trunk is known by the networks it calls from, by a log-in, or by both. One that is only called needs neither.', outboundLead: 'Where calls to outside numbers go. Leave it off for a trunk that only brings calls.',
  mediaLead: 'What is offered to this trunk.', numbersLead: 'Which numbers of this trunk lead to which queue.', name: 'Name of the trunk', nameHint: 'For example the carrier: carrier-fi',
  outboundOn: 'Calls go out by this trunk',
  store: 'Store and go on', finish: 'Finish', addNumber: 'Add number', number: 'Number', queue: 'Queue', stored: 'Stored.', existing: 'Numbers so far', noNumbers: 'No numbers yet.', step: (n: number, of: number) => `Step ${n} of ${of}`,
  srtp: { off: 'Not encrypted', optional: 'Encrypted where it can', required: 'Encrypted always' }, inbound: 'In', outboundShort: 'Out', both: 'In and out', direction: 'Direction', identified: 'Known by', login: (user: string) => `log-in ${user}`,
  names: {
    'networks': 'Networks it calls from', 'digest': 'Log-in', 'digest.user': 'User of its log-in here', 'digest.password': 'Password of its log-in here', 'max-calls': 'Calls at once, at most', 'calls-per-second': 'New calls a second, at most', 'region': 'Country of numbers without +',
    'codecs': 'Codecs', 'srtp': 'Encryption of sound', 'in-band-digits': 'Listen for tones in the sound (no telephone events)', 'release-path': 'After a transfer to outside, leave the path (REFER)', 'outbound': 'Calls out', 'outbound.server': 'Server', 'outbound.user': 'Our user there',
    'outbound.password': 'Our password there', 'outbound.register': 'Register there', 'outbound.caller-id': 'Number shown', 'outbound.prefixes': 'Numbers that begin with', 'server': 'Server', 'user': 'User', 'password': 'Password', 'caller-id': 'Number shown', 'prefixes': 'Numbers that begin with', 'register': 'Register there',
  },
  hints: {
    networks: '192.0.2.0/24, 2001:db8::/32 or single addresses; Enter after each.', server: 'sip:carrier.example, sip:192.0.2.1:5070;transport=tcp, sips:carrier.example', region: 'Two letters: FI', prefixes: 'Usual: +, which is all.', callerId: '+358942450000', codecs: 'Best first: g722, pcma, pcmu, opus.',
    userNeeded: 'Registering needs our user there.',
  },
}

export type Words = typeof en
