// The SIP messages of any call.
import { at, json } from '../lib.js'

const ladder = () => {
  const from = Date.parse(at(-3600))
  const one = (seconds, a, b, what, cseq, body = null, leg = 0) => ({ at: new Date(from + seconds * 1000).toISOString(), from: a, to: b, what, cseq, body, leg })
  const [trunk, agent] = ['trunk elisa', 'agent bob']
  return { lines: [trunk, 'sayso', agent], cut: false, messages: [
    one(0, trunk, 'sayso', 'INVITE', '1 INVITE', 'application/sdp, 412 octets'), one(0.002, 'sayso', trunk, '100 Trying', '1 INVITE'), one(0.004, 'sayso', trunk, '200 OK', '1 INVITE', 'application/sdp, 380 octets'),
    one(0.031, trunk, 'sayso', 'ACK', '1 ACK'), one(24.1, 'sayso', agent, 'INVITE', '7 INVITE', 'application/sdp, 1,912 octets', 1), one(24.2, agent, 'sayso', '180 Ringing', '7 INVITE', null, 1),
    one(28.8, agent, 'sayso', '200 OK', '7 INVITE', 'application/sdp, 1,488 octets', 1), one(28.81, 'sayso', agent, 'ACK', '7 ACK', null, 1), one(90.3, agent, 'sayso', 'INVITE', '3 INVITE', 'application/sdp, 1,502 octets', 1),
    one(90.31, 'sayso', agent, '200 OK', '3 INVITE', null, 1), one(90.35, agent, 'sayso', 'ACK', '3 ACK', null, 1), one(240, trunk, 'sayso', 'BYE', '2 BYE'), one(240.001, 'sayso', trunk, '200 OK', '2 BYE'),
    one(240.004, 'sayso', agent, 'BYE', '8 BYE', null, 1), one(240.09, agent, 'sayso', '481 Call/Transaction Does Not Exist', '8 BYE', null, 1),
  ] }
}

export function answer({ method, path, user }) {
  return user && method === 'GET' && /^\/calls\/[^/]+\/ladder$/.test(path) ? json(ladder()) : null
}
