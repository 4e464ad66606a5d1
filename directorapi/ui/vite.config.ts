import { fileURLToPath } from "node:url";

import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

import { licences } from "./build/licences.ts";
import { mantineStyles } from "./build/mantine.ts";

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

// Two entry documents whose addresses are all relative, so that the pages work
// under whatever prefix the director is mounted at.
// eslint-disable-next-line no-restricted-syntax -- vite asks for a default export
export default defineConfig({
  base: "./",
  plugins: [react(), mantineStyles(), licences()],
  build: {
    target: "es2022",
    assetsInlineLimit: 0, // the content security policy has no data: addresses
    modulePreload: { polyfill: false }, // the polyfill is for browsers older than the target
    rolldownOptions: {
      input: { portal: path("index.html"), admin: path("admin/index.html") },
      output: { chunkFileNames: "assets/shared-[hash].js", assetFileNames: "assets/style-[hash][extname]" },
    },
  },
  test: {
    environment: "jsdom",
    environmentOptions: { jsdom: { url: "https://director.test/prefix/" } },
    setupFiles: ["./src/test/setup.ts"],
    restoreMocks: true,
    testTimeout: 120_000, // a machine with other work is no reason to fail
    hookTimeout: 120_000,
    include: ["src/**/*.test.{ts,tsx}"],
  },
});
