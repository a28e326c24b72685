// A look at a directory's CSV file before it is sent: is it one at all? The server reads it in the end. Pure.
export const COLUMNS = ['list', 'name', 'number', 'email', 'note'] as const
/** Larger files are refused by the server, octets. */
export const LARGEST = 10_000_000

/** Columns that the first line lacks, and how many lines follow. `list` and `name` have to be there; the others may be. */
export function glance(text: string): { missing: string[]; lines: number } {
  const [first = '', ...rest] = text.replace(/^\uFEFF/, '').split(/\r?\n/)
  const names = first.split(',').map((cell) => cell.trim().replace(/^"(.*)"$/, '$1').toLowerCase())
  return { missing: COLUMNS.slice(0, 2).filter((name) => !names.includes(name)), lines: rest.filter((line) => line.trim() !== '').length }
}
