/**
 * OPTIONS: what the share can do. Every client decides by this answer whether it may write (webdavfs, gvfs,
 * Office).
 */
import type { Answer, Exchange } from './exchange.js';

export const methodNames = [
  'OPTIONS',
  'GET',
  'HEAD',
  'PUT',
  'DELETE',
  'MKCOL',
  'COPY',
  'MOVE',
  'PROPFIND',
  'PROPPATCH',
  'LOCK',
  'UNLOCK',
] as const;

export type MethodName = (typeof methodNames)[number];

export const allow = methodNames.join(', ');

/** One answer for every URL, existing or not, inside the share and above it. */
export const optionsAnswer: Answer = {
  status: 200,
  headers: {
    // webdavfs mounts read-only without class 2; a token must stand alone between commas.
    DAV: '1, 2, 3',
    Allow: allow,
    // Office opens read-only without it.
    'MS-Author-Via': 'DAV',
    'Accept-Ranges': 'bytes',
    'Cache-Control': 'no-cache',
    'Content-Length': '0',
  },
};

export async function options(_exchange: Exchange): Promise<Answer> {
  return optionsAnswer;
}
