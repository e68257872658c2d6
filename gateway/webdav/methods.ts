/** The methods of the share by name. */
import { withinLimits } from './coda-path.js';
import { copy } from './copy.js';
import { remove } from './delete.js';
import type { Method } from './exchange.js';
import { get } from './get.js';
import { lock } from './lock.js';
import { mkcol } from './mkcol.js';
import { move } from './move.js';
import { options, type MethodName } from './options.js';
import { propfind } from './propfind.js';
import { proppatch } from './proppatch.js';
import { put } from './put.js';
import { unlock } from './unlock.js';

const everywhere: Readonly<Record<MethodName, Method>> = {
  OPTIONS: options,
  GET: get,
  HEAD: get,
  PUT: put,
  DELETE: remove,
  MKCOL: mkcol,
  COPY: copy,
  MOVE: move,
  PROPFIND: propfind,
  PROPPATCH: proppatch,
  LOCK: lock,
  UNLOCK: unlock,
};

export const methods: Readonly<Record<string, Method>> = Object.fromEntries(
  Object.entries(everywhere).map(([name, method]) => [name, withinLimits(method)]),
);
