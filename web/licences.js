// The licences of what is in the pages, as their authors ask: `licences.txt` beside them.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * @param {string[]} besides Packages that are copied in beside what is bundled.
 * @returns {import('vite').Plugin}
 */
export function licences(besides = []) {
  return {
    name: 'sayso-licences',
    apply: 'build',
    generateBundle(_, bundle) {
      const modules = Object.values(bundle).flatMap((chunk) => (chunk.type === 'chunk' ? Object.keys(chunk.modules) : []))
      const packages = new Set(modules.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id.replace(/^\0/, ''))?.[0] ?? []))
      for (const name of besides) packages.add(fileURLToPath(new URL(`./node_modules/${name}`, import.meta.url)))
      const texts = [...packages].sort().filter((folder) => existsSync(join(folder, 'package.json'))).map(licenceOf)
      this.emitFile({ type: 'asset', fileName: 'licences.txt', source: texts.join('\n\n') })
    },
  }
}

function licenceOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one))
  // What is in a bundle already has its licences in files of their own.
  const files = [file, ...readdirSync(folder).filter((one) => one === 'NOTICE' || one.endsWith('-bundle.js.LICENSE.txt'))]
  const text = files.flatMap((one) => (one ? [readFileSync(join(folder, one), 'utf8').trim()] : [])).join('\n\n')
  return `==== ${name} ${version} (${license})\n${text}`
}
