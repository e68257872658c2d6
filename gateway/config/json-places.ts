/**
 * On which line of a JSON text what stands, and where it ceases to be JSON: JSON.parse tells neither in words that a
 * person can use. Pure.
 */
export type Path = readonly PropertyKey[];

export interface JsonPlaces {
  /** The line, from 1, of the key (or the item) at `path`; of what is missing, that of what it is missing in. */
  line(path: Path): number;
  /** Keys that stand twice in one object, of which only the last would count. */
  readonly twice: readonly { readonly path: Path; readonly line: number }[];
}

export interface JsonFault {
  readonly line: number;
  readonly message: string;
}

/** Deeper than any file of ours. */
const depthMost = 100;
const token = /"(?:[^"\\\n]|\\.)*"|[{}[\],:]|[^ \t\n\r{}[\],:"]+|"/y;
const space = /[ \t\n\r]*/y;
const scalar = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;

/** `text`, which a person wrote, as it is; or where it is no JSON. */
export function jsonPlaces(text: string): JsonPlaces | JsonFault {
  try {
    return new Scan(text).whole();
  } catch (error) {
    if (error instanceof Unexpected) return { line: error.line, message: error.message };
    throw error;
  }
}

export function isJsonFault(found: JsonPlaces | JsonFault): found is JsonFault {
  return 'message' in found;
}

class Unexpected extends Error {
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

class Scan implements JsonPlaces {
  readonly twice: { readonly path: Path; readonly line: number }[] = [];
  readonly #text: string;
  readonly #lines = new Map<string, number>();
  #at = 0;
  /** Of the token that comes next, and of the one before it. */
  #line = 1;
  #before = 1;
  #next = '';

  constructor(text: string) {
    this.#text = text;
    this.#advance();
  }

  whole(): this {
    this.#value([]);
    if (this.#next !== '') throw this.#unexpected('the end');
    return this;
  }

  line(path: Path): number {
    for (let length = path.length; length > 0; length -= 1) {
      const line = this.#lines.get(keyOf(path.slice(0, length)));
      if (line !== undefined) return line;
    }
    return this.#lines.get(keyOf([])) ?? 1;
  }

  #value(path: Path): void {
    if (path.length > depthMost) throw new Unexpected(this.#line, 'it is nested too deeply');
    if (!this.#lines.has(keyOf(path))) this.#lines.set(keyOf(path), this.#line);
    if (this.#next === '{') return this.#object(path);
    if (this.#next === '[') return this.#array(path);
    if (!scalar.test(this.#next) && !this.#isString()) throw this.#unexpected('a value');
    this.#advance();
  }

  #object(path: Path): void {
    const names = new Set<string>();
    this.#advance();
    while (this.#next !== '}') {
      if (!this.#isString()) throw this.#unexpected('a name in double quotes');
      const name = String(JSON.parse(this.#next));
      if (names.has(name)) this.twice.push({ path: [...path, name], line: this.#line });
      names.add(name);
      this.#lines.set(keyOf([...path, name]), this.#line);
      this.#advance();
      this.#take(':', `":" after "${name}"`);
      this.#value([...path, name]);
      this.#separate('}');
    }
    this.#advance();
  }

  #array(path: Path): void {
    this.#advance();
    for (let index = 0; this.#next !== ']'; index += 1) {
      this.#value([...path, index]);
      this.#separate(']');
    }
    this.#advance();
  }

  /** A comma that something follows, or the end. */
  #separate(end: string): void {
    if (this.#next === end) return;
    this.#take(',', `"," or "${end}"`);
    if (this.#next === end)
      throw new Unexpected(this.#before, `there is a "," before "${end}", where nothing follows`);
  }

  #take(wanted: string, what: string): void {
    // What is missing is missing behind the token before: that is where a person looks.
    if (this.#next !== wanted) throw this.#unexpected(what, this.#before);
    this.#advance();
  }

  #isString(): boolean {
    if (this.#next.length < 2 || !this.#next.startsWith('"')) return false;
    try {
      JSON.parse(this.#next);
      return true;
    } catch {
      throw new Unexpected(
        this.#line,
        `${this.#next.slice(0, 40)} has a character or an escape that JSON does not allow`,
      );
    }
  }

  #unexpected(what: string, line = this.#line): Unexpected {
    if (this.#next === '') return new Unexpected(line, `it ends where ${what} should follow`);
    if (this.#next === '"')
      return new Unexpected(this.#line, 'a text in double quotes does not end on its line');
    return new Unexpected(line, `there is ${this.#next.slice(0, 40)} where ${what} should be`);
  }

  #advance(): void {
    this.#before = this.#line;
    space.lastIndex = this.#at;
    const blank = space.exec(this.#text)?.[0] ?? '';
    this.#line += blank.split('\n').length - 1;
    token.lastIndex = this.#at + blank.length;
    this.#next = token.exec(this.#text)?.[0] ?? '';
    this.#at += blank.length + this.#next.length;
  }
}

function keyOf(path: Path): string {
  return JSON.stringify(path.map(String));
}
