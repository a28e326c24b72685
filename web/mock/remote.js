// Caller, server and echo in one page: `ring('alice', 'c-1', 'offer')`, `hangUp()`; answers the self-test with its own sound.
import { UA, WebSocketInterface } from 'jssip'

const socket = new WebSocketInterface(`ws://${location.host}/sip`)
const context = new AudioContext()
let current = null

const ua = new UA({ sockets: [socket], uri: 'sip:server@mock.invalid', register: true, session_timers: false })
ua.on('registered', () => { document.title = 'registered' })
function answerWithEcho({ originator, session }) {
  session.on('icecandidate', ({ ready }) => ready())
  if (originator !== 'remote') return
  const out = context.createMediaStreamDestination()
  session.on('peerconnection', ({ peerconnection }) => {
    peerconnection.addEventListener('track', ({ streams: [stream] }) => {
      const player = new window.Audio()
      player.muted = true
      player.srcObject = stream
      player.play()
      context.createMediaStreamSource(stream).connect(out)
    })
  })
  session.answer({ mediaStream: out.stream })
}
ua.on('newRTCSession', ({ session }) => { session.on('icecandidate', ({ ready }) => ready()) })
const onData = socket.ondata
ua.start()
// A phone takes calls of its own name only.
const echo = new UA({ sockets: [new WebSocketInterface(`ws://${location.host}/sip`)], uri: 'sip:selftest@mock.invalid', register: true, session_timers: false })
echo.on('newRTCSession', answerWithEcho)
echo.start()
const passed = socket.ondata ?? onData
socket.ondata = (data) => {
  if (!String(data).startsWith('MOCK ')) return passed(data)
  const ask = JSON.parse(String(data).slice(5))
  if (ask.ring) window.ring(ask.ring, ask.call, ask.purpose)
  if (ask.hangUp) window.hangUp()
}

window.ring = (agent, call, purpose) => {
  context.resume()
  const out = context.createMediaStreamDestination()
  const oscillator = context.createOscillator()
  oscillator.frequency.value = 330
  oscillator.connect(out)
  oscillator.start()
  current = ua.call(`sip:${agent}@mock.invalid`, {
    mediaStream: out.stream,
    extraHeaders: [`X-Sayso-Call: ${call}`, `X-Sayso-Purpose: ${purpose}`],
  })
  window.current = current
}
window.hangUp = () => { if (current && !current.isEnded()) current.terminate() }
