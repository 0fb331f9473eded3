import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  // Relative: under which path the pages are served is known only when they are asked for.
  base: './',
  plugins: [react()],
  resolve: { conditions: ['@flotilla/source', 'module', 'browser', 'development|production'] },
  publicDir: false,
  build: {
    outDir: 'dist/pages',
    emptyOutDir: true,
    target: 'es2023',
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 2000,
    // A legacy polyfill would be an inline script.
    modulePreload: { polyfill: false },
  },
});
