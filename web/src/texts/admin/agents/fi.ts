import type { Words } from './en'

export const fi: Words = {
  id: 'Tunnus',
  title: 'Asiakaspalvelijat ja taidot', lead: 'Kuka ottaa puheluja, mistä jonoista, millä taidoilla ja millä puhelimella.', add: 'Uusi asiakaspalvelija', empty: 'Ei vielä asiakaspalvelijoita.',
  person: 'Henkilö', phone: 'Puhelin', skillsTable: 'Taidot', skillsLead: 'Kuinka monella on kukin taito, ja mitkä jonot vaativat sen.', skill: 'Taito', agents: 'Asiakaspalvelijoita', neededBy: 'Sitä vaativat jonot', noSkills: 'Taitoja ei ole vielä nimetty.',
  media: { auto: 'Selain tai pöytäpuhelin rekisteröinnin mukaan', rtp: 'Pöytäpuhelin (RTP)', webrtc: 'Selain (WebRTC)' }, srtp: { off: 'Salaamaton', optional: 'Salattu kun mahdollista', required: 'Aina salattu' },
  codeHint: '1–4 näppäintä, esim. *3, tai none.', passwordHint: 'Pöytäpuhelimelle, joka rekisteröityy itse.', codecsHint: 'Paras ensin. Oletus: opus, g722, pcma, pcmu.',
  names: {
    'display-name': 'Nimi', 'password': 'SIP-salasana', 'queues': 'Jonot', 'skills': 'Taidot', 'codecs': 'Koodekit', 'srtp': 'Äänen salaus (pöytäpuhelin)', 'media': 'Puhelimen laji',
    'three-way-code': 'Kolmen neuvottelun näppäimet', 'complete-code': 'Siirron päättävät näppäimet', 'return-code': 'Paluu soittajaan -näppäimet',
  },
}
