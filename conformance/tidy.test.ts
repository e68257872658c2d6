/**
 * Reads all sources once and checks what the house has agreed on: who imports whom, who reaches the world,
 * sizes, names. Then it plants one fault of each kind and sees that it is found.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { zoneOf } from './tidy/arrows.js';
import * as rules from './tidy/rules.js';
import { readSource, type Source } from './tidy/source.js';
import { exceptions, reachesOut } from './tidy/world.js';

const root = resolve(import.meta.dirname, '../..');
const rooms = ['conformance', 'gateway', 'venus', 'vice'];

const files = new Set(
  rooms.flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, encoding: 'utf8' }).map((path) => `${room}/${path}`),
  ),
);
const sources = [...files]
  .filter((path) => path.endsWith('.ts'))
  .sort()
  .map((path) => readSource(path, readFileSync(join(root, path), 'utf8')));

const reaches = (list: readonly Source[]): string[] => list.flatMap(reachesOut);

interface Check {
  readonly name: string;
  /** One sentence per fault. */
  readonly check: (list: readonly Source[]) => string[];
}

const checks: readonly Check[] = [
  { name: 'imports follow the arrows of tidy/arrows.ts', check: rules.arrows },
  { name: 'only seams, mains and tests reach clock, chance, disk and network', check: reaches },
  { name: 'no file imports itself, however far round', check: rules.cycles },
  { name: 'no any, no enum, no default export', check: rules.syntax },
  { name: 'no unfinished work, no compiler silenced', check: rules.leftOvers },
  { name: 'files, functions and lines fit', check: rules.sizes },
  { name: 'names say what a thing is', check: rules.names },
  { name: 'webdav-server stays fenced in', check: rules.fences },
  { name: 'test packages stay in tests', check: rules.testTools },
  { name: 'every folder has a README.md', check: (list) => rules.readmes(list, files) },
];

t.ok(sources.length > 40, `found the sources (${sources.length} files)`);

for (const { name, check } of checks) {
  t.test(name, async (t) => {
    const faults = check(sources);
    for (const fault of faults) t.fail(fault);
    if (faults.length === 0) t.pass(name);
  });
}

t.test('tables name what exists', async (t) => {
  for (const path of Object.keys(rules.longFiles)) t.ok(files.has(path), `${path} of longFiles exists`);
  for (const { files: pattern, why } of exceptions) {
    t.ok(
      [...files].some((path) => pattern.test(path)),
      `${pattern} (${why}) has files`,
    );
  }
  for (const { path } of sources) t.ok(zoneOf(path), `${path} is in a zone`);
});

t.test('files that people start exist', async (t) => {
  for (const path of ['.ci/run', '.ci/install-system-packages.sh', 'README.md', 'ARCHITECTURE.md']) {
    t.ok(existsSync(join(root, path)), path);
  }
});

interface Planted {
  readonly path: string;
  readonly text: string;
  readonly check: (list: readonly Source[]) => string[];
  /** A part of the sentence that must come of it. */
  readonly says: string;
}

function plant(check: Planted['check'], path: string, text: string, says: string): Planted {
  return { check, path, text, says };
}

const noReadmes = (list: readonly Source[]): string[] => rules.readmes(list, new Set());

const planted: readonly Planted[] = [
  plant(rules.arrows, 'venus/a.ts', `import { b } from '../vice/volume/b.js';`, 'vice/volume/b.ts'),
  plant(rules.arrows, 'gateway/webdav/a.ts', `import type { B } from '../../venus/cache/b.js';`, 'one door'),
  plant(rules.arrows, 'vice/interface/a.ts', `export * from '../seam/clock.js';`, 'nothing of ours'),
  plant(
    rules.arrows,
    'vice/volume/a.ts',
    `const b = await import('../seam/real/clock.js');`,
    'vice/seam/real',
  ),
  plant(rules.arrows, 'vice/main.ts', `import { b } from '../conformance/realm.js';`, 'conformance'),
  plant(rules.arrows, 'gateway/main.ts', `import { b } from '../vice/seam/twin/clock.js';`, 'twin'),
  plant(reaches, 'venus/a.ts', `const now = Date.now();`, 'Clock.wall'),
  plant(reaches, 'venus/a.ts', `const now = new Date();`, 'Clock.wall'),
  plant(reaches, 'venus/a.ts', `await new Promise((go) => setTimeout(go, 1));`, 'Clock.after'),
  plant(reaches, 'venus/a.ts', `import { open } from 'node:fs/promises';`, 'Store or Containers'),
  plant(reaches, 'gateway/webdav/a.ts', `const x = Math.random();`, 'Random.fraction'),
  plant(reaches, 'vice/a.ts', `import { randomBytes } from 'node:crypto';\nrandomBytes(3);`, 'Random.bytes'),
  plant(rules.syntax, 'vice/volume/a.ts', `const x: any = 1;`, 'any'),
  plant(rules.syntax, 'vice/volume/a.ts', `export default 1;`, 'Export by name'),
  plant(rules.leftOvers, 'vice/volume/a.ts', `// TO${'DO'} later`, 'file an issue'),
  plant(rules.sizes, 'vice/volume/a.ts', 'const a = 1;\n'.repeat(401), '401 lines'),
  plant(rules.sizes, 'vice/volume/a.ts', `function f() {${'\n'.repeat(80)}}`, 'f has 81 lines'),
  plant(rules.sizes, 'vice/volume/a.ts', `// ${'x'.repeat(130)}`, '133 characters'),
  plant(rules.names, 'vice/volume/helpers.ts', '', 'the noun'),
  plant(rules.names, 'vice/volume/a.ts', 'export class VolumeManager {}', 'VolumeManager'),
  plant(rules.names, 'vice/volume/index.ts', '', 'barrel'),
  plant(rules.testTools, 'venus/a.ts', `import t from 'tap';`, 'Only tests'),
  plant(noReadmes, 'venus/new/a.ts', '', 'venus/new'),
];

t.test('each kind of fault is found', async (t) => {
  for (const { path, text, check, says } of planted) {
    const faults = check([readSource(path, text)]);
    t.equal(faults.length, 1, `${path}: one fault in ${JSON.stringify(text.slice(0, 60))}`);
    t.match(faults[0], says);
  }
  const ring = ['a', 'b', 'c'].map((name, index, all) =>
    readSource(`venus/${name}.ts`, `import type { X } from './${all[(index + 1) % 3] ?? ''}.js';`),
  );
  t.match(rules.cycles(ring)[0], 'venus/a.ts -> venus/b.ts -> venus/c.ts -> venus/a.ts');
  const shell = `import { v2 } from 'webdav-server';`;
  const importers = ['a', 'b', 'c'].map((name) => readSource(`gateway/${name}.ts`, shell));
  t.same(rules.fences(importers.slice(1)), []);
  t.match(rules.fences(importers)[0], 'webdav-server');
});

t.test('what only looks like a fault is none', async (t) => {
  const harmless = [
    `import type { Server } from 'node:http';`,
    `import { fetch } from './fetch.js';`,
    `const day = new Date(5); // not Date.now()`,
    `const text = 'Math.random()';`,
    `socket.setTimeout(3);`,
    `await fetch(day);`,
    `class Door { fetch(): void { this.setInterval(); } }`,
  ].join('\n');
  t.same(reaches([readSource('gateway/webdav/a.ts', harmless)]), []);
});
