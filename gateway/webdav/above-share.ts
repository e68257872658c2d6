/**
 * Requests above a share that is mounted under a prefix: Windows and gvfs look at every folder on the way
 * down and give up at a 404 or 405 (OPTIONS and PROPFIND of `/` before `/share`).
 */
import { DavError, type Answer } from './exchange.js';
import { hrefOf } from './href.js';
import { optionsAnswer } from './options.js';
import { parsePath } from './path.js';
import { multistatusEnd, multistatusStart, propstat, xmlContentType } from './xml-writer.js';

/**
 * `path` is where the request points, not below `prefix`; `depth` its Depth header. @throws DavError 404, 405
 */
export function answerAbove(
  prefix: string,
  method: string,
  path: readonly string[],
  depth: string | undefined,
): Answer {
  if (method === 'OPTIONS') return optionsAnswer;
  const mount = parsePath(prefix).path;
  const isOnTheWay = path.length < mount.length && path.every((name, index) => name === mount[index]);
  if (!isOnTheWay) throw new DavError(404, 'There is no share here');
  if (method === 'GET' || method === 'HEAD') {
    return {
      status: 200,
      headers: { 'Content-Type': 'text/plain; charset=utf-8' },
      body: `The share is at ${prefix}/\n`,
    };
  }
  if (method !== 'PROPFIND') throw new DavError(405, `The share is at ${prefix}/`);
  const folders = [path, ...(depth === '0' ? [] : [mount.slice(0, path.length + 1)])];
  const responses = folders.map((folder) => {
    const found = propstat('<D:resourcetype><D:collection/></D:resourcetype>', 200);
    return `<D:response><D:href>${hrefOf('', folder, true)}</D:href>${found}</D:response>`;
  });
  return {
    status: 207,
    headers: { 'Content-Type': xmlContentType },
    body: multistatusStart + responses.join('') + multistatusEnd,
  };
}
