import js from "@eslint/js";
import query from "@tanstack/eslint-plugin-query";
import hooks from "eslint-plugin-react-hooks";
import { defineConfig } from "eslint/config";
import ts from "typescript-eslint";

export default defineConfig(
  { ignores: ["dist", "node_modules", "src/api/schema.gen.ts"] },
  js.configs.recommended,
  {
    files: ["**/*.{ts,tsx}"],
    extends: [
      ts.configs.strictTypeChecked,
      hooks.configs.flat.recommended,
      query.configs["flat/recommended"],
    ],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "no-restricted-syntax": [
        "error",
        { selector: "ExportDefaultDeclaration", message: "Export by name." },
        { selector: "ExportAllDeclaration", message: "Import from the file that defines it." },
      ],
    },
  },
  {
    files: ["e2e/*.mjs", "bench/*.mjs"],
    languageOptions: {
      globals: {
        process: "readonly",
        URL: "readonly",
        setTimeout: "readonly",
        document: "readonly",
        window: "readonly",
        fetch: "readonly",
        console: "readonly",
        performance: "readonly",
        requestAnimationFrame: "readonly",
        EventTarget: "readonly",
        MessageEvent: "readonly",
      },
    },
  },
);
