// Swagger UI for the server's OpenAPI document, served at /api/docs: the files of `swagger-ui-dist` that it needs, our page
// around them, and each packed for who takes it so.
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const FILES = {
  'index.html': './swagger/index.html',
  'start.js': './swagger/start.js',
  'swagger-ui-bundle.js': './node_modules/swagger-ui-dist/swagger-ui-bundle.js',
  'swagger-ui.css': './node_modules/swagger-ui-dist/swagger-ui.css',
}

/** @returns {import('vite').Plugin} */
export function swagger() {
  return {
    name: 'sayso-swagger',
    apply: 'build',
    generateBundle() {
      for (const [name, path] of Object.entries(FILES)) {
        const text = readFileSync(new URL(path, import.meta.url), 'utf8').replace(/\n?(\/\/|\/\*)# sourceMappingURL=.*\s*$/, '\n')
        this.emitFile({ type: 'asset', fileName: `swagger/${name}`, source: text })
        this.emitFile({ type: 'asset', fileName: `swagger/${name}.gz`, source: gzipSync(text, { level: 9 }) })
      }
    },
  }
}
