import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

import { licences } from './licences.js'
import { swagger } from './swagger.js'

// `vite --mode mock` (npm run dev) answers /api and /sip by itself: see mock/server.js. A build has none of it.
export default defineConfig(async ({ mode }) => ({
  plugins: [react(), licences(['swagger-ui-dist']), swagger(), mode === 'mock' && (await import('./mock/server.js')).mockServer()],
  build: {
    target: 'es2022',
    // The page's policy allows no inline script and no data: address but for images.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1500,
  },
  test: { include: ['src/**/*.test.ts'] },
}))
