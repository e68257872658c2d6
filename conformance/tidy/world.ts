/**
 * What reaches the world (time, chance, disk, network, other processes), and who may.
 *
 * Everything else gets the seams of vice/seam as arguments, so that a whole realm can run in one process, on
 * twins, in the same order every time.
 */
import type { Source } from './source.js';

/**
 * Modules that reach the world, and what to use instead. Importing types from them is harmless and allowed.
 */
const seamOfModule: Readonly<Record<string, string>> = {
  'node:fs': 'Store or Containers',
  'node:fs/promises': 'Store or Containers',
  lmdb: 'Store',
  'nedb-promises': 'Store',
  'node:net': 'Network',
  'node:tls': 'Network',
  'node:dgram': 'Network',
  'node:dns': 'Network',
  'node:http': 'Network',
  'node:https': 'Network',
  'node:http2': 'Network',
  undici: 'Network',
  ws: 'Network',
  'node:timers': 'Clock',
  'node:timers/promises': 'Clock',
  'node:perf_hooks': 'Clock',
  'node:child_process': 'no process of your own',
  'node:worker_threads': 'no process of your own',
  'node:cluster': 'no process of your own',
  pino: 'Log',
};

/** Calls that reach the world, as `Source.calls` has them, and what to use instead. */
const seamOfCall: Readonly<Record<string, string>> = {
  'Date.now': 'Clock.wall',
  'new Date()': 'Clock.wall',
  'performance.now': 'Clock.monotonic',
  'process.hrtime': 'Clock.monotonic',
  'process.uptime': 'Clock.monotonic',
  setTimeout: 'Clock.after',
  setInterval: 'Clock.after',
  'globalThis.setTimeout': 'Clock.after',
  'globalThis.setInterval': 'Clock.after',
  'Math.random': 'Random.fraction',
  randomBytes: 'Random.bytes',
  randomUUID: 'Random.bytes',
  randomInt: 'Random.fraction',
  'crypto.randomUUID': 'Random.bytes',
  'crypto.getRandomValues': 'Random.bytes',
  fetch: 'Network',
  'console.log': 'Log',
  'console.warn': 'Log',
  'console.error': 'Log',
};

/** The seams themselves, and who hands them out. */
const free =
  /\.test\.ts$|^conformance\/|^vice\/(seam\/real\/|main\.ts$)|^gateway\/(main\.ts$|cli\/|config\/|realm\/|setup\/)/;

interface Exception {
  readonly files: RegExp;
  readonly may: readonly string[];
  readonly why: string;
}

/** Files that may use a little of the world all the same. Keep this list short. */
export const exceptions: readonly Exception[] = [
  {
    files: /^gateway\/webdav\/host\.ts$/,
    may: ['node:http', 'node:https'],
    why: 'the HTTP host is the outer wall of the gateway; a simulated gateway is driven below it',
  },
  {
    files: /^gateway\/access\/users-file\.ts$/,
    may: ['node:fs/promises', 'nedb-promises'],
    why: 'users are a small administrative document that people and commands edit, kept by nedb',
  },
];

/** How `source` reaches the world although it must not. */
export function reachesOut(source: Source): string[] {
  if (free.test(source.path)) return [];
  const may = new Set(
    exceptions.filter(({ files }) => files.test(source.path)).flatMap((entry) => entry.may),
  );
  const uses = [
    ...source.imports
      .filter(({ typeOnly }) => !typeOnly)
      .map(({ line, specifier }) => ({ line, what: specifier, seam: seamOfModule[specifier] })),
    ...source.calls.map(({ line, name }) => ({ line, what: name, seam: seamOfCall[name] })),
  ];
  return uses
    .filter(({ what, seam }) => seam !== undefined && !may.has(what))
    .map(
      ({ line, what, seam }) =>
        `${source.path}:${line} uses ${what}. Use ${seam ?? ''}, given as an argument (vice/seam); ` +
        'only vice/seam/real, mains and tests reach the world.',
    );
}
