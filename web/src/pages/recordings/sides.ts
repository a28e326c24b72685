// Both sides of a recording, each as loud as wished, in both ears.
import { useCallback, useEffect, useRef, type RefObject } from 'react'

interface Desk { context: AudioContext; caller: GainNode; agent: GainNode }

/** `wake` has to be called by a press: browsers start sound only then. One desk for an <audio>, for as long as it lives. */
export function useSides(audio: RefObject<HTMLAudioElement | null>, loud: { caller: number; agent: number }): () => void {
  const desk = useRef<Desk | null>(null)
  const wanted = useRef(loud)
  useEffect(() => {
    wanted.current = loud
    if (desk.current) set(desk.current, loud)
  })
  useEffect(() => () => {
    // Its page is gone; a context that is closed already says so, and that is well.
    void desk.current?.context.close().catch(() => {})
    desk.current = null
  }, [])
  return useCallback(() => {
    if (!audio.current) return
    desk.current ??= build(audio.current)
    set(desk.current, wanted.current)
    void desk.current.context.resume()
  }, [audio])
}

/** Channel 0 is the caller, 1 the agent; each goes to both ears. */
function build(audio: HTMLAudioElement): Desk {
  const context = new AudioContext()
  const split = context.createChannelSplitter(2)
  const [caller, agent] = [context.createGain(), context.createGain()]
  context.createMediaElementSource(audio).connect(split)
  split.connect(caller, 0)
  split.connect(agent, 1)
  caller.connect(context.destination)
  agent.connect(context.destination)
  return { context, caller, agent }
}

function set({ caller, agent, context }: Desk, loud: { caller: number; agent: number }) {
  // A short ramp: a jump would click.
  caller.gain.setTargetAtTime(loud.caller, context.currentTime, 0.02)
  agent.gain.setTargetAtTime(loud.agent, context.currentTime, 0.02)
}
