/** Which program asks, told by its User-Agent, as far as answers must differ. */
import type { Client } from './exchange.js';

const patterns: readonly (readonly [Client['kind'], RegExp])[] = [
  ['windows', /^Microsoft-WebDAV-MiniRedir\//],
  [
    'office',
    /^(Microsoft (Office|Data Access)|MSOffice|Mozilla\/[\d.]+ \(compatible; (MSIE [\d.]+; .*)?MS ?Office)/i,
  ],
  ['macos', /^WebDAV(FS|Lib)\//],
  ['gvfs', /\bgvfs\//],
  ['davfs2', /^davfs2\//],
  // "KHTML/5.103.0 (like Gecko) Konqueror/5.103"; every other browser writes "(KHTML, like Gecko)".
  ['kio', /\b(KIO\/|kioworker|kio_http|KHTML\/|Konqueror\/|dolphin\/)/i],
];

/** The client behind a User-Agent header. */
export function clientOf(userAgent: string | undefined): Client {
  const name = userAgent ?? '';
  const found = patterns.find(([, pattern]) => pattern.test(name));
  return { kind: found?.[0] ?? 'other', userAgent: name };
}
