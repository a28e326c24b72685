/** Saves a text, or octets, as a file of the browser. */
export function saveFile(name: string, content: string | Blob, type = 'text/csv;charset=utf-8') {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  // The download has begun by then.
  window.setTimeout(() => { URL.revokeObjectURL(url) }, 10_000)
}
