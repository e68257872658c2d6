/**
 * XML in: strict, with namespaces, bounded before anything is built (RFC 4918 section 20.6: no DTD, no
 * entities).
 *
 * XR-1  A tree has at most `maxNodes` elements, attributes and texts together, and `maxDepth` levels: code
 *       that walks it may recurse.
 * XR-2  No namespace name is longer than `maxNamespace`, so that repeating it in an answer stays cheap.
 */
import { SaxesParser } from 'saxes';
import type { SaxesAttributeNS, SaxesTagNS } from 'saxes';
import type { Readable } from 'node:stream';
import { TextDecoder } from 'node:util';
import { DavError } from './exchange.js';
import { escapeAttribute, escapeXml } from './xml-writer.js';

const maxDepth = 32;
const maxNodes = 10_000;
const maxNamespace = 1024;
const defaultLimitBytes = 256 * 1024;

export interface Element {
  readonly namespace: string;
  readonly local: string;
  /** Clark notation: `{namespace}local`. */
  readonly name: string;
  /** As it was written, with its prefix. */
  readonly tag: string;
  /** Without namespace declarations. */
  readonly attributes: readonly Attribute[];
  readonly children: readonly (Element | string)[];
  readonly scope: Scope;
  /** xml:lang in force here, '' if none. */
  readonly language: string;
}

export interface Attribute {
  readonly namespace: string;
  readonly local: string;
  /** As it was written, with its prefix. */
  readonly tag: string;
  readonly value: string;
}

/**
 * Namespace declarations: an element's own, linked to those around it (a copy per element could be made to
 * explode).
 */
export interface Scope {
  readonly own: ReadonlyMap<string, string>;
  readonly outer: Scope | null;
}

/**
 * The root element of `body`; undefined for no bytes at all. The stream is left open when it fails: the
 * host can answer.
 * @throws DavError 400 (not well-formed, not UTF-8, too deep, too many nodes), 403 (has a DTD), 413 (too
 * long)
 */
export async function readXml(body: Readable, limitBytes = defaultLimitBytes): Promise<Element | undefined> {
  const parser = new TreeParser();
  let head = Buffer.alloc(0);
  let decoder: TextDecoder | undefined;
  let length = 0;
  for await (const piece of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer | string>) {
    const chunk = typeof piece === 'string' ? Buffer.from(piece) : piece;
    length += chunk.length;
    if (length > limitBytes) throw new DavError(413, `The XML body is longer than ${limitBytes} bytes`);
    if (decoder !== undefined) {
      parser.write(decode(decoder, chunk, true));
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < 3) continue;
    decoder = decoderFor(head);
    parser.write(decode(decoder, head, true));
  }
  if (length === 0) return undefined;
  if (decoder === undefined) {
    decoder = decoderFor(head);
    parser.write(decode(decoder, head, true));
  }
  parser.write(decode(decoder, Buffer.alloc(0), false));
  return parser.end();
}

/** The same for text in memory. @throws DavError as readXml */
export function parseXml(text: string): Element {
  const parser = new TreeParser();
  parser.write(text);
  return parser.end();
}

/** Byte order mark, else UTF-8 (XML 1.0 appendix F; RFC 4918 section 8.2 asks for no other). */
function decoderFor(head: Buffer): TextDecoder {
  const [first, second] = head;
  if (first === 0xff && second === 0xfe) return new TextDecoder('utf-16le', { fatal: true });
  if (first === 0xfe && second === 0xff) return new TextDecoder('utf-16be', { fatal: true });
  return new TextDecoder('utf-8', { fatal: true });
}

function decode(decoder: TextDecoder, bytes: Uint8Array, stream: boolean): string {
  try {
    return decoder.decode(bytes, { stream });
  } catch {
    throw new DavError(400, 'The XML body is not well-formed Unicode');
  }
}

interface OpenElement extends Element {
  readonly children: (Element | string)[];
}

class TreeParser {
  readonly #parser = new SaxesParser({ xmlns: true, defaultXMLVersion: '1.0', forceXMLVersion: true });
  readonly #open: OpenElement[] = [];
  #root: Element | undefined;
  #nodes = 0;

  constructor() {
    this.#parser.on('error', (error) => {
      throw new DavError(400, `The XML body is not well-formed: ${error.message}`);
    });
    this.#parser.on('doctype', () => {
      throw new DavError(403, 'The XML body has a document type declaration', 'no-external-entities');
    });
    this.#parser.on('xmldecl', ({ encoding }) => {
      if (encoding === undefined || /^(utf-?8|utf-?16|us-ascii)$/i.test(encoding)) return;
      throw new DavError(400, `The XML body is in ${encoding}; send it in UTF-8`);
    });
    this.#parser.on('opentagstart', () => {
      this.#count();
      if (this.#open.length >= maxDepth) throw new DavError(400, 'The XML body is nested too deeply');
    });
    // Counted one by one, so that a tag with a million attributes ends early.
    this.#parser.on('attribute', () => this.#count());
    this.#parser.on('opentag', (tag) => this.#enter(tag));
    this.#parser.on('closetag', () => this.#open.pop());
    this.#parser.on('text', (text) => this.#text(text));
    this.#parser.on('cdata', (text) => this.#text(text));
  }

  write(text: string): void {
    this.#parser.write(text);
  }

  end(): Element {
    this.#parser.close();
    if (this.#root === undefined) throw new DavError(400, 'The XML body has no element');
    return this.#root;
  }

  #count(): void {
    this.#nodes += 1;
    if (this.#nodes > maxNodes) throw new DavError(400, 'The XML body has too many elements and attributes');
  }

  #enter(tag: SaxesTagNS): void {
    const parent = this.#open.at(-1);
    const all = Object.values(tag.attributes);
    const element: OpenElement = {
      namespace: tag.uri,
      local: tag.local,
      name: clark(tag.uri, tag.local),
      tag: tag.name,
      attributes: all.filter((attribute) => !isDeclaration(attribute)).map(attributeOf),
      children: [],
      scope: scopeOf(tag, parent?.scope ?? null),
      language: tag.attributes['xml:lang']?.value ?? parent?.language ?? '',
    };
    if (parent === undefined) this.#root = element;
    else parent.children.push(element);
    this.#open.push(element);
  }

  #text(text: string): void {
    const children = this.#open.at(-1)?.children;
    if (children === undefined || text === '') return;
    const last = children.at(-1);
    if (typeof last === 'string') {
      children[children.length - 1] = last + text;
      return;
    }
    this.#count();
    children.push(text);
  }
}

function attributeOf(attribute: SaxesAttributeNS): Attribute {
  return { namespace: attribute.uri, local: attribute.local, tag: attribute.name, value: attribute.value };
}

function isDeclaration(attribute: SaxesAttributeNS): boolean {
  return attribute.prefix === 'xmlns' || attribute.name === 'xmlns';
}

function scopeOf(tag: SaxesTagNS, outer: Scope | null): Scope {
  const own = Object.entries(tag.ns);
  for (const [, uri] of own) {
    if (uri.length > maxNamespace)
      throw new DavError(400, `A namespace is longer than ${maxNamespace} characters`);
  }
  return own.length === 0 && outer !== null ? outer : { own: new Map(own), outer };
}

/** Clark notation: `{namespace}local`. */
export function clark(namespace: string, local: string): string {
  return `{${namespace}}${local}`;
}

/** Child elements, texts left out. */
export function elementsOf(parent: Element): readonly Element[] {
  return parent.children.filter((child) => typeof child !== 'string');
}

/** The first child element of that name. */
export function childOf(parent: Element, name: string): Element | undefined {
  return elementsOf(parent).find((child) => child.name === name);
}

/** All character data below `element`, without white space around it. */
export function textOf(element: Element): string {
  const texts = element.children.map((child) => (typeof child === 'string' ? child : textOf(child)));
  return texts.join('').trim();
}

/**
 * `element` as XML that means the same anywhere: it declares each namespace it uses and the xml:lang in
 * force (RFC 4918 section 4.3). A prefix counts as used also where text or an attribute has it, as in
 * xsi:type="xs:int".
 */
export function standalone(element: Element): string {
  const declared = new Map<string, string>();
  for (const prefix of prefixesOf(element)) {
    const uri = resolve(element.scope, prefix);
    if (uri !== undefined) declared.set(prefix, uri);
  }
  const hasLanguage = element.attributes.some((attribute) => attribute.tag === 'xml:lang');
  const language =
    hasLanguage || element.language === '' ? '' : ` xml:lang="${escapeAttribute(element.language)}"`;
  return serialize(element, declared, language);
}

/** What is inside `element`, each child standing alone. */
export function standaloneContent(element: Element): string {
  return element.children
    .map((child) => (typeof child === 'string' ? escapeXml(child) : standalone(child)))
    .join('');
}

function serialize(element: Element, declarations: ReadonlyMap<string, string>, extra: string): string {
  let start = `<${element.tag}`;
  for (const [prefix, uri] of declarations) {
    start +=
      prefix === '' ? ` xmlns="${escapeAttribute(uri)}"` : ` xmlns:${prefix}="${escapeAttribute(uri)}"`;
  }
  for (const { tag, value } of element.attributes) start += ` ${tag}="${escapeAttribute(value)}"`;
  start += extra;
  if (element.children.length === 0) return `${start}/>`;
  let content = '';
  for (const child of element.children) {
    content +=
      typeof child === 'string' ? escapeXml(child) : serialize(child, ownDeclarations(child, element), '');
  }
  return `${start}>${content}</${element.tag}>`;
}

function ownDeclarations(child: Element, parent: Element): ReadonlyMap<string, string> {
  return child.scope === parent.scope ? new Map() : child.scope.own;
}

/** Every prefix that `element` or something below it may refer to. */
function prefixesOf(element: Element, found = new Set<string>()): ReadonlySet<string> {
  found.add(prefixOf(element.tag));
  for (const { tag, value } of element.attributes) {
    if (tag.includes(':')) found.add(prefixOf(tag));
    addMentioned(value, found);
  }
  for (const child of element.children) {
    if (typeof child === 'string') addMentioned(child, found);
    else prefixesOf(child, found);
  }
  found.delete('xml');
  return found;
}

function prefixOf(tag: string): string {
  const colon = tag.indexOf(':');
  return colon < 0 ? '' : tag.slice(0, colon);
}

function addMentioned(text: string, found: Set<string>): void {
  if (!text.includes(':')) return;
  // At most 64 characters: without the bound a long text would cost its square.
  for (const [, prefix] of text.matchAll(/([\p{L}_][\p{L}\p{N}_.-]{0,63}):/gu)) {
    if (prefix !== undefined) found.add(prefix);
  }
}

/** The namespace bound to `prefix`; undefined if none is, also for an undone default namespace. */
function resolve(scope: Scope, prefix: string): string | undefined {
  for (let at: Scope | null = scope; at !== null; at = at.outer) {
    const uri = at.own.get(prefix);
    if (uri !== undefined) return uri === '' ? undefined : uri;
  }
  return undefined;
}
