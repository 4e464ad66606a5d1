import type { Plugin } from "vite";

// A component of Mantine has its class names in NAME.module.mjs, and the styles of
// those names in styles/NAME.layer.css.
const classNames = /\/node_modules\/@mantine\/core\/esm\/(?:components|utils)\/.*\/([A-Za-z]+)\.module\.mjs$/;

/**
 * mantineStyles brings the styles of those Mantine components that a page uses,
 * and of no others: all of them are four times as much. Styles of a component
 * that another is made of come before its own, as they do in the library's whole.
 * They are a layer of their own, over which the pages' own styles always win.
 */
export function mantineStyles(): Plugin {
  return {
    name: "mantine-styles",
    transform(code, id) {
      const component = classNames.exec(id)?.[1];
      return (
        component && { code: `import "@mantine/core/styles/${component}.layer.css";\n${code}`, map: null }
      );
    },
  };
}
