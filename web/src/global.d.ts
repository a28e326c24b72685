export {}
declare global {
  interface Window {
    /** For support and tests: the connection of the conversation, or of the last one. */
    sayso: { peer: RTCPeerConnection | null }
  }
}
