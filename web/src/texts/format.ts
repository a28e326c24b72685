// Moments and figures in the words of a language.

export interface Formats {
  /** BCP 47 */
  locale: string
  /** `14:02` */
  time(moment: string): string
  /** `3 Mar 2026` */
  date(moment: string): string
  /** `3 Mar 2026, 14:02` */
  moment(moment: string): string
  /** `3 Mar 2026, 14:02:07` */
  seconds(moment: string): string
  /** `14:02:07` */
  instant(moment: string): string
  /** `12,345.6` */
  figure(value: number, digits?: number): string
  /** `1.2 GB` */
  bytes(value: number): string
  /** 0.954 as `95 %` */
  percent(share: number): string
  /** ms */
  milliseconds(ms: number): string
}

export function formats(locale: string): Formats {
  const time = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' })
  const date = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric' })
  const moment = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' })
  const seconds = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' })
  const instant = new Intl.DateTimeFormat(locale, { timeStyle: 'medium' })
  const figure = (value: number, digits = 0) =>
    new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value)
  const percent = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 })
  const ms = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 })
  return {
    locale,
    time: (at) => time.format(new Date(at)),
    date: (at) => date.format(new Date(at)),
    moment: (at) => moment.format(new Date(at)),
    seconds: (at) => seconds.format(new Date(at)),
    instant: (at) => instant.format(new Date(at)),
    figure,
    bytes: (value) => {
      const units = ['B', 'kB', 'MB', 'GB', 'TB']
      const step = Math.min(units.length - 1, value < 1000 ? 0 : Math.floor(Math.log10(value) / 3))
      return `${figure(value / 1000 ** step, step === 0 ? 0 : 1)} ${units[step] ?? ''}`
    },
    percent: (share) => percent.format(share),
    milliseconds: (value) => `${ms.format(value)} ms`,
  }
}
