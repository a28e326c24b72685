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
  /** 0.954 as `95 %` */
  percent(share: number): string
  /** ms */
  milliseconds(ms: number): string
}

export function formats(locale: string): Formats {
  const time = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' })
  const date = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric' })
  const moment = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' })
  const percent = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 })
  const ms = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 })
  return {
    locale,
    time: (at) => time.format(new Date(at)),
    date: (at) => date.format(new Date(at)),
    moment: (at) => moment.format(new Date(at)),
    percent: (share) => percent.format(share),
    milliseconds: (value) => `${ms.format(value)} ms`,
  }
}
