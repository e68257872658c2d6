/**
 * The text of a configuration file: YAML 1.2, and so JSON, too, which is a part of it; with the line of each value.
 * Only values are told in it: no anchors, aliases and tags, and no key twice. Pure.
 */
import { isMap, isSeq, LineCounter, parseDocument, visit, type Document, type Node, type Range } from 'yaml';

/** Keys and numbers of items, from the top. */
export type ConfigPath = readonly PropertyKey[];

interface Parsed {
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
}

/** Characters. What machines have written may be large, and JSON.parse reads that a hundred times faster. */
const handWritten = 64 * 1024;
/** Values in values. The YAML parser goes down with its own stack, and the process with it when that is full. */
const depthMost = 64;
/** Characters of a file that is no JSON. */
const textMost = 1024 * 1024;

export class ConfigText {
  /** Undefined when there are faults. */
  readonly value: unknown;
  /** What is wrong with its form, each with its line. */
  readonly faults: readonly string[];
  readonly #text: string;
  #parsed: Parsed | undefined;

  constructor(text: string) {
    this.#text = text;
    const quick = text.length > handWritten ? quickly(text) : undefined;
    this.faults = quick === undefined ? this.#formFaults() : [];
    this.value = quick ?? (this.faults.length > 0 ? undefined : (this.#parse().document.toJS() as unknown));
  }

  /** The line, from 1, of the value at `path`; of what should have it, if there is no such value. */
  line(path: ConfigPath): number {
    const { document, lines } = this.#parse();
    let node: unknown = document.contents;
    let at = startOf(node);
    for (const step of path) {
      const [next, start] = inside(node, step);
      if (start === undefined) break;
      [node, at] = [next, start];
    }
    return lines.linePos(at).line;
  }

  #formFaults(): readonly string[] {
    const tooMuch = excess(this.#text);
    if (tooMuch !== undefined) return [tooMuch];
    const { document, lines } = this.#parse();
    const faults = [...document.errors, ...document.warnings].map(({ message, pos }) => {
      const [what = message] = message.split(/ at line \d+, /);
      return `line ${lines.linePos(pos[0]).line}: ${what}`;
    });
    visit(document, {
      Alias: (_, alias) => {
        const { line } = lines.linePos(startOf(alias));
        faults.push(
          `line ${line}: "*${alias.source}" would mean a value that stands elsewhere; write it out here`,
        );
        return undefined;
      },
    });
    return faults;
  }

  #parse(): Parsed {
    if (this.#parsed !== undefined) return this.#parsed;
    const lines = new LineCounter();
    const document = parseDocument(this.#text, { lineCounter: lines });
    this.#parsed = { document, lines };
    return this.#parsed;
  }
}

/** Why the parser does not get the text; undefined: it does. Brackets in quotes count, too. */
function excess(text: string): string | undefined {
  if (text.length > textMost) return 'it is longer than a file that a person writes, and no JSON';
  let [line, depth] = [1, 0];
  for (const character of text) {
    if (character === '\n') line += 1;
    else if (character === '[' || character === '{') depth += 1;
    else if (character === ']' || character === '}') depth -= 1;
    if (depth > depthMost) return `line ${line}: nested too deeply`;
  }
  const deep = text.split('\n').findIndex((each) => /^(?:[\s?-]{128})/.test(each));
  return deep < 0 ? undefined : `line ${deep + 1}: nested too deeply`;
}

/** Undefined: it is no JSON. */
function quickly(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** What is at `step` in `node`, and where it begins, with its key; undefined: nothing. */
function inside(node: unknown, step: PropertyKey): readonly [node: unknown, start: number | undefined] {
  if (isMap(node)) {
    const pair = node.items.find(({ key }) => nameOf(key) === String(step));
    return [pair?.value, pair && startOf(pair.key)];
  }
  if (isSeq(node)) {
    const item = node.items[Number(step)];
    return [item, item === undefined ? undefined : startOf(item)];
  }
  return [undefined, undefined];
}

function nameOf(key: unknown): string {
  return String((key as { readonly value?: unknown } | null)?.value ?? '');
}

function startOf(node: unknown): number {
  const range: Range | null | undefined = (node as Node | null)?.range;
  return range?.[0] ?? 0;
}
