export const en = {
  id: 'Agent',
  title: 'Agents & skills', lead: 'Who takes calls, of which queues, with which skills and on which phone.', add: 'New agent', empty: 'No agents yet.',
  person: 'Person', phone: 'Phone', skillsTable: 'Skills', skillsLead: 'How many agents have each skill, and which queues need it.', skill: 'Skill', agents: 'Agents', neededBy: 'Needed by queues', noSkills: 'No skills are named yet.',
  media: { auto: 'Browser or desk phone, as it registers', rtp: 'Desk phone (RTP)', webrtc: 'Browser (WebRTC)' }, srtp: { off: 'Not encrypted', optional: 'Encrypted where it can', required: 'Encrypted always' },
  codeHint: '1 to 4 keys such as *3, or none.', passwordHint: 'For a desk phone that registers by itself.', codecsHint: 'Best first. Usual: opus, g722, pcma, pcmu.',
  names: {
    'display-name': 'Name', 'password': 'SIP password', 'queues': 'Queues', 'skills': 'Skills', 'codecs': 'Codecs', 'srtp': 'Encryption of sound (desk phone)', 'media': 'Kind of phone',
    'three-way-code': 'Keys for three-way', 'complete-code': 'Keys to complete a transfer', 'return-code': 'Keys to return to the caller',
  },
}

export type Words = typeof en
