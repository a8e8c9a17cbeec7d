#!/usr/bin/env node
// Plain JavaScript on purpose: it must parse on an old Node to say that the Node is too old.
const major = Number(process.versions.node.split('.')[0]);
if (major < 26) {
  process.stderr.write(
    `bpfreplay needs Node 26 or newer and was started with ${process.version} (${process.execPath}). ` +
      'In a checkout, `npm ci` installs Node 26: start it as `npx bpfreplay`.\n',
  );
  process.exit(2);
}
// What node makes of the modules is kept, so that the next start is quicker; threads find it by the variable.
const { enableCompileCache } = await import('node:module');
const { join } = await import('node:path');
const { tmpdir } = await import('node:os');
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), 'node-compile-cache');
enableCompileCache();
// In a checkout the sources run as they are; an installed package holds only dist/.
const { existsSync } = await import('node:fs');
const source = new URL('../src/cli/main.ts', import.meta.url);
await import(existsSync(source) ? source.href : new URL('../dist/cli/main.js', import.meta.url).href);
