/**
 * The rooms of the house and what each may import, from the ground up. A room is a folder under `src/`; the longest
 * name that fits a path is its room. `index` is `src/index.ts`, the library's front door.
 */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  isa: ['base'],
  object: ['base', 'isa'],
  program: ['base', 'isa', 'object'],
  wasm: ['base'],
  abi: ['base', 'isa', 'object', 'program', 'wasm'],
  verifier: ['abi', 'program', 'object', 'isa', 'base'],
  'runtime/memory': ['abi', 'wasm', 'base'],
  'runtime/maps': ['abi', 'runtime/memory', 'wasm', 'base', 'object'],
  'runtime/helpers': ['abi', 'runtime/memory', 'wasm', 'base'],
  'runtime/kfuncs': ['abi', 'runtime/helpers', 'base'],
  'runtime/call': ['abi', 'program', 'runtime/memory', 'isa', 'base'],
  'runtime/interpreter': ['abi', 'program', 'runtime/call', 'runtime/memory', 'isa', 'base'],
  'runtime/jit': ['abi', 'program', 'runtime/call', 'runtime/memory', 'wasm', 'isa', 'base', 'object'],
  hooks: ['abi', 'wasm', 'base'],
  engine: [
    'hooks', 'runtime/interpreter', 'runtime/jit', 'runtime/call', 'runtime/helpers', 'runtime/kfuncs', 'runtime/maps', 'runtime/memory', 'verifier', 'abi', 'program',
    'object', 'wasm', 'isa', 'base',
  ], // biome-ignore format: a list
  explain: ['engine', 'verifier', 'abi', 'program', 'object', 'isa', 'base'],
  capture: ['base'],
  'replay/threads': [],
  replay: ['replay/threads', 'explain', 'engine', 'capture', 'abi', 'object', 'wasm', 'base'],
  index: ['replay', 'explain', 'engine', 'capture', 'verifier', 'abi', 'program', 'object', 'isa', 'base'],
  server: ['index', 'capture', 'base'],
  cli: ['index', 'server', 'replay/threads'],
};

/** Packages that a room may use beside Node's own modules; all others use none. */
export const PACKAGES: Readonly<Record<string, readonly RegExp[]>> = {
  capture: [/^pcap-parser$/],
  server: [/^fastify$/, /^@fastify\//, /^typebox(\/|$)/, /^pino$/, /^@prometheus-io\/client$/, /^close-with-grace$/],
  cli: [/^commander$/],
};

/** Rooms that must run anywhere: no module of Node's, no file, no network. */
export const PURE: readonly string[] = [
  'base', 'isa', 'object', 'program', 'wasm', 'abi', 'verifier', 'runtime/memory', 'runtime/maps', 'runtime/helpers',
  'runtime/kfuncs',
  'runtime/call', 'runtime/interpreter', 'runtime/jit', 'hooks', 'engine', 'explain',
]; // biome-ignore format: a list
