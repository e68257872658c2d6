/** The If header of WebDAV (RFC 4918 section 10.4): its grammar and its meaning, without any lookup. */
import { DavError } from './exchange.js';

const maxLength = 8 * 1024;

/** Conditions that must all hold for one resource. The header holds if any of its lists does. */
export interface IfList {
  /** The URL in front of the list; null means the request's own resource. */
  readonly tag: string | null;
  readonly conditions: readonly Condition[];
}

export interface Condition {
  readonly not: boolean;
  /** `token` is a state token without its angle brackets, `etag` an entity tag with its quotes. */
  readonly kind: 'token' | 'etag';
  readonly value: string;
}

/** What a list is compared with. */
export interface ResourceState {
  /** Tokens of all live locks that cover the resource. */
  readonly tokens: ReadonlySet<string>;
  /** null if the resource does not exist or has none. */
  readonly etag: string | null;
}

// One symbol of the grammar: ( ) <url> [etag] Not. Sticky, so that nothing between two symbols is skipped.
const symbols = [
  /(?<bracket>[()])/,
  /<(?<url>[^<>\s]+)>/,
  /\[(?<etag>(?:W\/)?"[^"\u0000-\u001f\u007f]*")\]/,
  /(?<not>not)(?=[ \t<[])/,
];
const symbol = new RegExp(`[ \\t]*(?:${symbols.map(({ source }) => source).join('|')})`, 'giy');

/** The lists of an If header, at least one. @throws DavError 400 */
export function parseIf(header: string): readonly IfList[] {
  if (header.length > maxLength)
    throw new DavError(400, `The If header is longer than ${maxLength} characters`);
  const lists: IfList[] = [];
  let tag: string | null = null;
  let tagUsed = true;
  let open: Condition[] | null = null;
  let not = false;
  for (const { bracket, url, etag, not: negation } of symbolsOf(header.trimEnd())) {
    if (open === null) {
      if (bracket === '(') {
        open = [];
        tagUsed = true;
      } else if (url !== undefined && tagUsed && (lists.length === 0 || tag !== null)) {
        tag = url;
        tagUsed = false;
      } else throw malformed();
    } else if (negation !== undefined && !not) not = true;
    else if (url !== undefined || etag !== undefined) {
      open.push(
        url === undefined ? { not, kind: 'etag', value: etag ?? '' } : { not, kind: 'token', value: url },
      );
      not = false;
    } else if (bracket === ')' && !not && open.length > 0) {
      lists.push({ tag, conditions: open });
      open = null;
    } else throw malformed();
  }
  if (open !== null || !tagUsed || lists.length === 0) throw malformed();
  return lists;
}

function symbolsOf(text: string): readonly Partial<Record<string, string>>[] {
  const found: Partial<Record<string, string>>[] = [];
  let end = 0;
  for (const match of text.matchAll(symbol)) {
    found.push(match.groups ?? {});
    end = match.index + match[0].length;
  }
  if (end !== text.length) throw malformed();
  return found;
}

function malformed(): DavError {
  return new DavError(400, 'The If header is malformed (RFC 4918 section 10.4.2)');
}

/** Whether the header holds; `stateOf` is asked for the tags of `lists`. */
export function evaluateIf(
  lists: readonly IfList[],
  stateOf: (tag: string | null) => ResourceState,
): boolean {
  return lists.some((list) => {
    const state = stateOf(list.tag);
    return list.conditions.every((condition) => holds(condition, state) !== condition.not);
  });
}

/** Weak entity tags never match: the comparison is strong (RFC 4918 section 10.4.4). */
function holds({ kind, value }: Condition, state: ResourceState): boolean {
  if (kind === 'token') return state.tokens.has(value);
  return value === state.etag && !value.startsWith('W/');
}

/**
 * Every token of the header: that it appears, even negated or in a list that is false, is its submission
 * (10.4.1).
 */
export function submittedTokens(lists: readonly IfList[]): Set<string> {
  const tokens = lists.flatMap((list) => list.conditions.filter((condition) => condition.kind === 'token'));
  return new Set(tokens.map((condition) => condition.value));
}
