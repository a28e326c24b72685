// Which microphone, which speaker, where and how loud it rings.
import { Button, Modal, NativeSelect, Slider, Stack, Switch, Text } from '@mantine/core'
import { useEffect, useState } from 'react'

import { useDesk, usePhone, useStore } from '../app/hooks'
import { canChooseSpeaker, stop } from '../phone/audio'
import { useTexts } from '../texts'

import { LevelMeter } from './PhoneCard'

export function Devices({ opened, onClose }: { opened: boolean; onClose(): void }) {
  const t = useTexts()
  return (
    <Modal opened={opened} onClose={onClose} title={t.devices.title} closeButtonProps={{ 'aria-label': t.common.close }}>
      {/* Mounted while open only: the microphone is open as long as this is. */}
      <Choices />
    </Modal>
  )
}

function Choices() {
  const t = useTexts()
  const { phone } = useDesk()
  const { line } = usePhone()
  const preferences = useStore(phone.audio.preferences)
  const { stream, devices } = useDevices(preferences.microphone)
  const [rings, setRings] = useState(false)
  useEffect(() => () => { phone.audio.ring(false) }, [phone])
  const of = (kind: MediaDeviceKind) => [
    { value: '', label: t.devices.standard },
    ...devices.filter((one) => one.kind === kind && one.deviceId && one.deviceId !== 'default')
      .map((one, at) => ({ value: one.deviceId, label: one.label || t.devices.unnamed(at + 1) })),
  ]
  const toggleRing = () => {
    phone.audio.ring(!rings)
    setRings(!rings)
  }
  return (
    <Stack>
      <NativeSelect label={t.devices.microphone} data={of('audioinput')} value={preferences.microphone} onChange={(event) => {
        phone.audio.choose({ microphone: event.currentTarget.value })
        void phone.line?.changeMicrophone().catch(() => undefined)
      }} />
      {stream && <LevelMeter key={stream.id} stream={stream} />}
      {canChooseSpeaker ? (
        <>
          <NativeSelect label={t.devices.speaker} data={of('audiooutput')} value={preferences.speaker}
            onChange={(event) => { phone.audio.choose({ speaker: event.currentTarget.value }) }} />
          <NativeSelect label={t.devices.ringer} data={of('audiooutput')} value={preferences.ringer}
            onChange={(event) => { phone.audio.choose({ ringer: event.currentTarget.value }) }} />
        </>
      ) : <Text c="dimmed">{t.devices.fixed}</Text>}
      <div>
        <Text fw={500} aria-hidden="true">{t.devices.volume}</Text>
        <Slider thumbLabel={t.devices.volume} min={0} max={100} step={5} value={Math.round(preferences.volume * 100)}
          onChange={(value) => { phone.audio.choose({ volume: value / 100 }) }} label={(value) => `${value} %`} />
      </div>
      <Button variant="default" onClick={toggleRing} disabled={line?.phase === 'ringing'}>{rings ? t.devices.tryStop : t.devices.try}</Button>
      <NotifySwitch />
    </Stack>
  )
}

function NotifySwitch() {
  const t = useTexts()
  const { phone } = useDesk()
  const { notify } = useStore(phone.audio.preferences)
  const [permission, setPermission] = useState(() => ('Notification' in window ? Notification.permission : 'denied'))
  const change = async (on: boolean) => {
    const now = on && permission === 'default' ? await Notification.requestPermission() : permission
    setPermission(now)
    phone.audio.choose({ notify: on && now === 'granted' })
  }
  return (
    <Switch label={t.devices.notify} checked={notify && permission === 'granted'} disabled={permission === 'denied'}
      description={permission === 'denied' ? t.devices.notifyBlocked : undefined}
      onChange={(event) => { void change(event.currentTarget.checked) }} />
  )
}

/** The devices there are, with names (given with the microphone's leave only), and the chosen microphone open. */
function useDevices(microphone: string) {
  const { phone } = useDesk()
  const [stream, setStream] = useState<MediaStream | null>(null)
  const [devices, setDevices] = useState<MediaDeviceInfo[]>([])
  useEffect(() => {
    let over = false
    let opened: MediaStream | null = null
    const list = async () => {
      const all = (await (navigator.mediaDevices as MediaDevices | undefined)?.enumerateDevices()) ?? []
      if (!over) setDevices(all)
    }
    void phone.audio.microphone().then((fresh) => {
      if (over) stop(fresh)
      else setStream((opened = fresh))
    }).catch(() => undefined).finally(() => { void list() })
    const changed = () => { void list() }
    navigator.mediaDevices?.addEventListener('devicechange', changed)
    return () => {
      over = true
      stop(opened)
      navigator.mediaDevices?.removeEventListener('devicechange', changed)
    }
  }, [phone, microphone])
  return { stream, devices }
}
