import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'

const centre = process.env.CITYNERVE_CENTRE ?? 'http://127.0.0.1:8600'

export default defineConfig({
  plugins: [vue()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  define: {
    __VUE_OPTIONS_API__: true, // Naive UI is written with it
    __VUE_PROD_DEVTOOLS__: false,
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: false,
    __VUE_I18N_FULL_INSTALL__: false,
    __VUE_I18N_LEGACY_API__: false,
    __INTLIFY_PROD_DEVTOOLS__: false,
  },
  worker: { format: 'es' },
  build: {
    outDir: '../static',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0, // the centre's content security policy allows no data: scripts or styles
    // A page wants many small parts that others want too: as one file each, the way there costs more than they do.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'vue', test: /node_modules[\\/](@?vue|@intlify|vue-)/, priority: 2 },
            { name: 'parts', test: /src[\\/](parts[\\/](?!map|chart|command)|rooms[\\/]monitoring[\\/][A-Za-z]+\.)/, minShareCount: 3, priority: 1 },
          ],
        },
      },
    },
    chunkSizeWarningLimit: 1200, // maplibre-gl and echarts are big, and loaded only where they are shown
  },
  server: { host: '127.0.0.1', port: 8601, proxy: { '/api': centre } },
})
