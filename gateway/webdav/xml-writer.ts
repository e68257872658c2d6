/**
 * XML out: compact (no white space between elements), one short prefix, streamed in pieces.
 *
 * Windows reads at most 1,000,000 bytes of a listing (FileAttributesLimitInBytes) and Windows XP stumbles
 * over white space between elements, so every byte here is meant.
 */
export const davNamespace = 'DAV:';
export const xmlDeclaration = '<?xml version="1.0" encoding="utf-8"?>';
export const xmlContentType = 'application/xml; charset="utf-8"';
export const multistatusStart = `${xmlDeclaration}<D:multistatus xmlns:D="DAV:">`;
export const multistatusEnd = '</D:multistatus>';

const special = /[&<>\r\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;
const specials = /[&<>\r\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

/** `text` for use between tags; what XML 1.0 cannot say becomes U+FFFD. */
export function escapeXml(text: string): string {
  const whole = text.isWellFormed() ? text : text.toWellFormed();
  return special.test(whole) ? whole.replace(specials, entityOf) : whole;
}

/** `text` for a double-quoted attribute: also keeps tabs and line ends from being normalised away. */
export function escapeAttribute(text: string): string {
  return escapeXml(text).replace(/["\t\n]/g, entityOf);
}

function entityOf(character: string): string {
  return entities[character] ?? '\ufffd';
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\r': '&#13;',
  '\n': '&#10;',
  '\t': '&#9;',
};

/** An empty element of any namespace, inside a document that binds D to DAV: and has no default namespace. */
export function emptyElement(namespace: string, local: string): string {
  if (namespace === davNamespace) return `<D:${local}/>`;
  if (namespace === '') return `<${local}/>`;
  return `<x:${local} xmlns:x="${escapeAttribute(namespace)}"/>`;
}

/** One propstat of a multistatus response; `properties` and `error` are XML. */
export function propstat(properties: string, status: number, error = ''): string {
  const line = `<D:status>${statusLine(status)}</D:status>`;
  return `<D:propstat><D:prop>${properties}</D:prop>${line}${error}</D:propstat>`;
}

/** The DAV:error element of a failed precondition (RFC 4918 section 16). */
export function errorElement(condition: string, hrefs: readonly string[] = []): string {
  const inner = hrefs.map((href) => `<D:href>${escapeXml(href)}</D:href>`).join('');
  const element = inner === '' ? `<D:${condition}/>` : `<D:${condition}>${inner}</D:${condition}>`;
  return `<D:error>${element}</D:error>`;
}

const reasons: Readonly<Record<number, string>> = {
  200: 'OK',
  403: 'Forbidden',
  404: 'Not Found',
  409: 'Conflict',
  423: 'Locked',
  424: 'Failed Dependency',
  503: 'Service Unavailable',
  507: 'Insufficient Storage',
};

/** As RFC 4918 section 14.28 wants it inside a multistatus. */
export function statusLine(status: number): string {
  return `HTTP/1.1 ${status} ${reasons[status] ?? 'Error'}`;
}
