// Signs of our own, drawn on a grid of 24 with a pen of 2. They are decoration: words stand beside them.

const PATHS = {
  answer: 'M6 4c-1.5 1.5-2 4 1 8.500 3 4 7 6.500 9.500 6.500 1.500 0 3-1 3.500-2l-4-3.500-2.500 1.500c-1.500-.7-3.500-2.700-4.500-4.500l1.500-2L8 4z',
  hangUp: 'M3 14c0-3 4-5 9-5s9 2 9 5v2.500l-5-1V13c-2-.8-6-.8-8 0v2.500l-5 1z',
  hold: 'M8 5v14M16 5v14',
  resume: 'M8 5l11 7-11 7z',
  mute: 'M9 9V6a3 3 0 0 1 6 0v5M5 11a7 7 0 0 0 11 5.700M12 18v3M4 4l16 16',
  microphone: 'M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM5 11a7 7 0 0 0 14 0M12 18v3',
  keypad: 'M6 6h.01M12 6h.01M18 6h.01M6 12h.01M12 12h.01M18 12h.01M6 18h.01M12 18h.01M18 18h.01',
  transfer: 'M4 9h14l-4-4M20 15H6l4 4',
  people: 'M9 11a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7zM3 20c0-4 2.500-6 6-6s6 2 6 6M16 4.500a3.500 3.500 0 0 1 0 6.500M17.500 14.500c2.300.7 3.500 2.500 3.500 5.500',
  back: 'M10 6l-6 6 6 6M4 12h16',
  check: 'M5 12l5 5 9-10',
  cross: 'M6 6l12 12M18 6L6 18',
  warning: 'M12 4l9 16H3zM12 10v4M12 17h.01',
  skip: 'M6 12h12',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.400 1.400M17.600 17.600L19 19M5 19l1.400-1.400M17.600 6.400L19 5',
  globe: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18',
  keyboard: 'M3 7h18v10H3zM7 11h.01M11 11h.01M15 11h.01M8 14h8',
  ear: 'M7 10a5 5 0 0 1 10 0c0 4-4 4.500-4 8a2.500 2.500 0 0 1-4.500 1.500M10 10a2 2 0 0 1 4 0c0 2-2 2-2 3.500',
  phone: 'M7 3h10v18H7zM11 18h2',
  note: 'M5 4h14v11l-5 5H5zM14 20v-5h5',
} as const

export type IconName = keyof typeof PATHS

export function Icon({ name, size = 20 }: { name: IconName; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth={2}
      strokeLinecap="round" strokeLinejoin="round" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  )
}

/** The lamp: its shape says as much as its colour. */
export function LampSign({ shape, size = 28 }: { shape: 'on' | 'paused' | 'off' | 'fault'; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false" className="lamp-sign">
      {shape === 'on' && <circle cx="12" cy="12" r="9" fill="currentColor" />}
      {shape === 'paused' && <path d="M6 4h4.500v16H6zM13.500 4H18v16h-4.500z" fill="currentColor" />}
      {shape === 'off' && <path d="M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM6.500 6.500l11 11" fill="none" stroke="currentColor" strokeWidth="2.500" />}
      {shape === 'fault' && <path d="M12 3l10 18H2zM12 9.500v5M12 17.500v.01" fill="none" stroke="currentColor" strokeWidth="2.500" strokeLinejoin="round" strokeLinecap="round" />}
    </svg>
  )
}

/** Bars of line quality. */
export function Bars({ bars }: { bars: 0 | 1 | 2 | 3 | 4 }) {
  return (
    <svg width="26" height="20" viewBox="0 0 26 20" aria-hidden="true" focusable="false">
      {[1, 2, 3, 4].map((bar) => (
        <rect key={bar} x={(bar - 1) * 6.500 + 1} y={18 - bar * 4} width="4.500" height={bar * 4} rx="1"
          fill={bar <= bars ? 'currentColor' : 'none'} stroke="currentColor" strokeWidth="1" />
      ))}
    </svg>
  )
}
