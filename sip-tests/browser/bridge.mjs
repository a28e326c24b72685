// Drives Chromium for the tests, which are written in Rust: a JSON request a line on stdin, its answer a line on
// stdout. Each page has a browser process of its own, for a microphone of its own. Everything waits for what it
// wants (playwright waits on events), up to the request's `within` milliseconds.
import { createInterface } from 'node:readline'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
const pages = new Map()

/** Chromium asks nothing of the world outside and takes the microphone from a file. */
const flags = (audio) => [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream', '--autoplay-policy=no-user-gesture-required',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  '--allow-loopback-in-peer-connection', // a machine without another network has calls, too
  ...(audio ? [`--use-file-for-fake-audio-capture=${audio}`] : []),
]

const operations = {
  /** `before`: a script that each document of the page runs first. */
  async open({ page: name, url, audio, locale, size, scheme, certificates, before }) {
    const dir = mkdtempSync(join(tmpdir(), 'sayso-chromium-'))
    const context = await chromium.launchPersistentContext(dir, {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      headless: true,
      args: flags(audio),
      locale: locale ?? 'en-GB',
      viewport: size ?? { width: 1280, height: 800 },
      colorScheme: scheme ?? 'light',
      reducedMotion: 'reduce',
      ignoreHTTPSErrors: certificates === 'any',
      permissions: ['microphone', 'notifications'],
    })
    if (before) await context.addInitScript(before)
    const page = context.pages()[0] ?? (await context.newPage())
    pages.set(name, { context, page, dir, log: listen(page) })
    await page.goto(url)
  },
  /** Another tab of a page's browser, at the same address. */
  async tab({ page: name, of }) {
    const { context, page: first } = pages.get(of)
    const page = await context.newPage()
    pages.set(name, { context, page, log: listen(page) })
    await page.goto(first.url())
  },
  async reload({ at }) { await at.page.reload({ waitUntil: 'commit' }) },
  /** The process ends as in a crash: nothing is said to the server. */
  async close({ page: name, at }) {
    pages.delete(name)
    if (!at.dir) return at.page.close()
    await at.context.close()
    rmSync(at.dir, { recursive: true, force: true })
  },
  async click({ at, role, name, inside, within }) { await find(at, role ?? 'button', name, inside).click({ timeout: within }) },
  /** Clicks what has a name that begins like this. */
  async clickLike({ at, role, name, inside, within }) {
    const like = new RegExp(`^${name.replace(/[^\w ]/g, '\\$&')}`)
    await part(at, inside).getByRole(role, { name: like }).first().click({ timeout: within })
  },
  /** Turns a box, a choice or a switch: what is clicked with a mouse is its drawing, beside it. */
  async tick({ at, role, name, inside, within }) {
    // The name of a switch with a description has that in it, too.
    const whole = find(at, role, name, inside)
    const box = await whole.waitFor({ state: 'attached', timeout: 3_000 })
      .then(() => whole, () => part(at, inside).getByRole(role, { name }).first())
    await box.waitFor({ state: 'attached', timeout: within })
    if (!(await box.isEnabled())) throw new Error(`${name} is not enabled`)
    await box.evaluate((input) => input.click())
  },
  async fill({ at, label, text, inside, within }) {
    // A password has no role; a label may have an asterisk that is no part of the name.
    const of = part(at, inside)
    const typed = at.page.locator('input:not([type=radio], [type=checkbox]), textarea')
    const field = of.getByLabel(label, { exact: true }).and(typed).or(of.getByRole('textbox', { name: label, exact: true }))
    await field.first().fill(text, { timeout: within })
  },
  /** Chooses in a menu by what it says. */
  async choose({ at, label, text, inside, within }) {
    await part(at, inside).getByLabel(label, { exact: true }).first().selectOption({ label: text }, { timeout: within })
  },
  /** What stands in a field. */
  async value({ at, label, inside, within }) { return part(at, inside).getByLabel(label, { exact: true }).first().inputValue({ timeout: within }) },
  async text({ at, inside, within }) { return part(at, inside).innerText({ timeout: within }) },
  /** Clicks what gives a file, and keeps that. */
  async download({ at, role, name, path, inside, within }) {
    const like = new RegExp(`^${name.replace(/[^\w ]/g, '\\$&')}`)
    const button = part(at, inside).getByRole(role, { name: like }).first()
    const [file] = await Promise.all([at.page.waitForEvent('download', { timeout: within }), button.click({ timeout: within })])
    await file.saveAs(path)
  },
  /** Presses Tab until what has this name has the focus. */
  async reach({ at, name }) {
    const seen = []
    for (let n = 0; n < 80; n += 1) {
      await at.page.keyboard.press('Tab')
      const focus = at.page.locator(':focus')
      if ((await focus.count()) === 0) continue
      // What a screen reader says: "- button \"Answer\"", "- textbox \"Password\"".
      const said = await focus.ariaSnapshot()
      if (said.includes(`"${name}"`)) return
      seen.push(said.split('\n')[0])
    }
    throw new Error(`Tab does not come to ${name}, but to ${seen.join(', ')}`)
  },
  async write({ at, text }) { await at.page.keyboard.type(text) },
  async press({ at, keys }) { await at.page.keyboard.press(keys) },
  /** Waits until it is to be seen; gives its text. */
  async see({ at, role, name, text, inside, within }) {
    const what = role ? find(at, role, name, inside) : part(at, inside).getByText(text).first()
    const wanted = role && text ? what.filter({ hasText: text }) : what
    await wanted.waitFor({ state: 'visible', timeout: within })
    return wanted.innerText()
  },
  async gone({ at, role, name, text, inside, within }) {
    const what = role ? find(at, role, name, inside) : part(at, inside).getByText(text).first()
    await what.waitFor({ state: 'hidden', timeout: within })
  },
  /** The value of an expression in the page; promises are waited for. */
  async evaluate({ at, js }) { return at.page.evaluate(js) },
  /** Waits until an expression in the page is true; gives its value. The page's own policy forbids `eval`, which
   * playwright's way would need. */
  async hold({ at, js, within }) {
    const end = Date.now() + within
    for (;;) {
      const value = await at.page.evaluate(js).catch(() => null) // a page that is just loading
      if (value) return value
      if (Date.now() > end) throw new Error(`${js} is still ${value}`)
      await new Promise((go) => setTimeout(go, 50)) // between two looks
    }
  },
  async scheme({ at, scheme }) { await at.page.emulateMedia({ colorScheme: scheme }) },
  async screenshot({ at, path }) { await at.page.screenshot({ path }) },
  /** What axe finds against WCAG 2.2 A and AA: a line each, empty when all is well. */
  async axe({ at }) {
    await at.page.addScriptTag({ path: axe }).catch(async () => {
      // The page's policy takes no foreign script tags; this way goes past it.
      const { readFileSync } = await import('node:fs')
      await at.page.evaluate(readFileSync(axe, 'utf8'))
    })
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']
    const found = await at.page.evaluate((values) => globalThis.axe.run({ runOnly: { type: 'tag', values } }), tags)
    return found.violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${v.help}: ${n.target.join(' ')}`))
  },
  async log({ at }) { return at.log },
}

function listen(page) {
  const log = []
  page.on('console', (message) => log.push(`${message.type()}: ${message.text()} ${message.location().url}`))
  page.on('pageerror', (error) => log.push(`error: ${error.message}`))
  return log
}

/** A part of the page (role and, perhaps, name), or all of it. */
function part(at, inside) {
  if (!inside) return at.page
  const [role, name] = inside
  // Dialogs lie beside the main part; what else is named may be in the navigation by the same name.
  const all = ['main', 'dialog'].includes(role) ? at.page : at.page.getByRole('main')
  return all.getByRole(role, name ? { name, exact: true } : {}).first()
}

const find = (at, role, name, inside) => part(at, inside).getByRole(role, { name, exact: true }).first()

async function answer(line) {
  const { id, op, ...request } = JSON.parse(line)
  const at = pages.get(request.page)
  try {
    if (!at && op !== 'open' && op !== 'tab') throw new Error(`there is no page ${request.page}`)
    const value = await operations[op]({ within: 15_000, ...request, at })
    return { id, value: value ?? null }
  } catch (error) {
    const log = at ? at.log.slice(-15) : []
    const text = at ? await at.page.evaluate('document.body.innerText').catch(() => '') : ''
    return { id, error: `${op}: ${error.message}\npage: ${text}\nconsole: ${log.join('\n')}` }
  }
}

const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => void answer(line).then((reply) => process.stdout.write(`${JSON.stringify(reply)}\n`)))
lines.on('close', async () => {
  for (const { context, dir } of pages.values()) {
    await context.close().catch(() => {})
    if (dir) rmSync(dir, { recursive: true, force: true })
  }
  process.exit(0)
})
