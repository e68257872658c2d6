/**
 * The rules of the house that a machine can check. Each gives a sentence per fault: where, what, what
 * instead.
 */
import { brokenArrow } from './arrows.js';
import type { Source } from './source.js';

export const limits = {
  fileLines: 400,
  testFileLines: 1_000,
  functionLines: 70,
  lineCharacters: 120,
} as const;

/**
 * Files that were longer when the limit came: the number only ever goes down, and an entry whose file fits
 * the limit again is taken out.
 */
export const longFiles: Readonly<Record<string, number>> = {};

/** Parts of names that say nothing. */
const emptyNames = /(^|[\/-])(utils?|commons?|helpers?|misc|manager)(?=[\/.-]|$)/i;

const webdavServerFiles = 2;

export function arrows(sources: readonly Source[]): string[] {
  return sources.flatMap((source) =>
    source.imports.flatMap(({ file, line }) => {
      const fault = file === undefined ? undefined : brokenArrow(source.path, file);
      return fault === undefined ? [] : [`line ${line}: ${fault}`];
    }),
  );
}

/** Cycles of imports, type imports included: files in a cycle can only be understood all at once. */
export function cycles(sources: readonly Source[]): string[] {
  const edges = new Map(
    sources.map(({ path, imports }) => [path, imports.flatMap(({ file }) => file ?? [])]),
  );
  const state = new Map<string, 'open' | 'done'>();
  const found: string[] = [];
  const walk = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === 'done') return;
    if (state.get(path) === 'open') {
      const cycle = [...trail.slice(trail.indexOf(path)), path];
      found.push(`${cycle.join(' -> ')} is a cycle. Move what both need into a file that imports neither.`);
      return;
    }
    state.set(path, 'open');
    for (const next of edges.get(path) ?? []) walk(next, [...trail, path]);
    state.set(path, 'done');
  };
  for (const path of edges.keys()) walk(path, []);
  return found;
}

const instead: Readonly<Record<string, string>> = {
  any: 'Say what it is, or `unknown` and a check.',
  enum: 'Use a union of string literals.',
  'export default': 'Export by name, so that one thing has one name everywhere.',
};

export function syntax(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, unwanted }) =>
    unwanted.map(({ what, line }) => `${path}:${line} has \`${what}\`. ${instead[what] ?? ''}`),
  );
}

const leftOver = /\b(TODO|FIXME|XXX|HACK)\b|@ts-(ignore|nocheck|expect-error)|eslint-disable/;

/** Notes of unfinished work. What is open belongs into an issue; what the compiler says is to be answered. */
export function leftOvers(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => !path.startsWith('conformance/tidy'))
    .flatMap(({ path, lines }) =>
      lines.flatMap((text, index) => {
        const found = leftOver.exec(text)?.[0];
        return found === undefined ? [] : [`${path}:${index + 1} has ${found}. Finish it, or file an issue.`];
      }),
    );
}

export function sizes(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, lines, functions }) => {
    const faults: string[] = [];
    const length = lines.at(-1) === '' ? lines.length - 1 : lines.length;
    const most = longFiles[path] ?? (isStory(path) ? limits.testFileLines : limits.fileLines);
    if (length > most)
      faults.push(`${path} has ${length} lines; at most ${most}. Split it by the nouns in it.`);
    if (path in longFiles && length < most) {
      faults.push(`${path} has ${length} lines now: lower its number in longFiles, or take it out.`);
    }
    return [...faults, ...wideLines(path, lines), ...longFunctions(path, functions)];
  });
}

/**
 * Tests are few, full files, since each costs a second; what is given to t.test is a story, not a function.
 */
function isStory(path: string): boolean {
  return path.endsWith('.test.ts') || path.startsWith('conformance/suites/');
}

function wideLines(path: string, lines: Source['lines']): string[] {
  return lines.flatMap((text, index) => {
    const width = text.length > limits.lineCharacters ? [...text].length : 0;
    if (width <= limits.lineCharacters) return [];
    return [`${path}:${index + 1} has ${width} characters; at most ${limits.lineCharacters}.`];
  });
}

function longFunctions(path: string, functions: Source['functions']): string[] {
  if (isStory(path)) return [];
  return functions
    .filter(({ length }) => length > limits.functionLines)
    .map(
      ({ name, line, length }) =>
        `${path}:${line} ${name} has ${length} lines; at most ${limits.functionLines}.`,
    );
}

export function names(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, declared }) => {
    const faults = declared
      .filter(({ name }) => /Manager$|Helpers?$|Utils?$/.test(name))
      .map(({ name, line }) => `${path}:${line} declares ${name}. Name what it is, in the field's words.`);
    if (emptyNames.test(path)) faults.push(`${path} is an empty name. A file is the noun that it defines.`);
    if (path.endsWith('/index.ts') && path !== 'vice/interface/index.ts') {
      faults.push(
        `${path} is a barrel. Import from the file that defines; only vice/interface has an index.`,
      );
    }
    return faults;
  });
}

/** The package is the outer shell of the door and is to be replaceable: it is fenced in. */
export function fences(sources: readonly Source[]): string[] {
  const importers = sources.filter(({ imports }) =>
    imports.some(({ specifier }) => /^webdav-server($|\/)/.test(specifier)),
  );
  if (importers.length <= webdavServerFiles) return [];
  const list = importers.map(({ path }) => path).join(', ');
  return [`webdav-server is imported by ${list}. At most ${webdavServerFiles} files may know it.`];
}

const testPackages = new Set(['tap', 'fast-check', 'typescript']);

/** What is only installed for development cannot be imported by what runs at the user's. */
export function testTools(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => !path.endsWith('.test.ts') && !path.startsWith('conformance/'))
    .flatMap(({ path, imports }) =>
      imports
        .filter(({ specifier }) => testPackages.has(specifier))
        .map(
          ({ line, specifier }) => `${path}:${line} imports ${specifier}. Only tests and conformance may.`,
        ),
    );
}

/** Every folder with code says in one page what lives there. */
export function readmes(sources: readonly Source[], files: ReadonlySet<string>): string[] {
  const folders = new Set(sources.map(({ path }) => path.slice(0, path.lastIndexOf('/'))));
  return [...folders]
    .filter((folder) => !files.has(`${folder}/README.md`))
    .map(
      (folder) =>
        `${folder} has no README.md: in a page, what lives here, in which order to read, where to change.`,
    );
}
