// Marks of an axis that begins at nothing. Pure.

/** Round values from 0 to the first that is no less than the greatest, about four of them. */
export function steps(values: number[]): number[] {
  const most = values.reduce((most, value) => Math.max(most, value), 0)
  if (most <= 0) return [0, 1]
  const rough = most / 4
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? power * 10
  const count = Math.ceil(most / step - 1e-9)
  return Array.from({ length: count + 1 }, (_, n) => Number((n * step).toPrecision(12)))
}

/** The heights of stacked bars. */
export const stacksOf = (series: (number | null)[][]): number[] =>
  Array.from({ length: Math.max(0, ...series.map((values) => values.length)) }, (_, n) => series.reduce((sum, values) => sum + (values[n] ?? 0), 0))
