/** The messages of a link, and the gate that every arriving one passes. */
import { decode, encode, Failure } from '../interface/index.js';
import { frameBytes, type Hello } from './network.js';
import type { FailureRecord } from './link-failure.js';

/**
 * - `hello` is the server's first message.
 * - `call` starts a call; `cancel` tells that nobody waits for it any more.
 * - `reply` or `failed` ends a call; before a reply there may be `part`s, which are then the whole of it.
 * - `push` is what the server was not asked for; `beat` only says that its sender is alive.
 */
export type Frame =
  | { readonly frame: 'hello'; readonly hello: Hello }
  | { readonly frame: 'call'; readonly id: number; readonly name: string; readonly argument: unknown }
  | { readonly frame: 'cancel'; readonly id: number }
  | { readonly frame: 'part'; readonly id: number; readonly part: unknown }
  | { readonly frame: 'reply'; readonly id: number; readonly result: unknown }
  | { readonly frame: 'failed'; readonly id: number; readonly failure: FailureRecord }
  | { readonly frame: 'push'; readonly push: unknown }
  | { readonly frame: 'beat' };

/** Callers must not change it. */
export const beat: Uint8Array = encode({ frame: 'beat' } satisfies Frame);

/** @throws Failure too-large (NW-5); plain errors for values that MessagePack cannot hold */
export function frameMessage(frame: Frame): Uint8Array {
  const message = encode(frame);
  if (message.length <= frameBytes) return message;
  const size = `a ${frame.frame} of ${message.length} bytes exceeds the limit of ${frameBytes}`;
  throw new Failure('too-large', 'network.send', `${size}: split it into smaller ones`);
}

/**
 * The frame in `message`. What is in it (arguments, results, pushes, failures) is for its receiver to check.
 * @throws Failure invalid
 */
export function parseFrame(message: Uint8Array): Frame {
  const value = decode(message);
  if (isFrame(value)) return value;
  throw new Failure('invalid', 'network.receive', 'no frame of this protocol');
}

function isFrame(value: unknown): value is Frame {
  if (!isRecord(value)) return false;
  switch (value['frame']) {
    case 'beat':
    case 'push':
      return true;
    case 'hello':
      return isHello(value['hello']);
    case 'call':
      return isId(value['id']) && typeof value['name'] === 'string' && value['name'].length <= 100;
    case 'cancel':
    case 'part':
    case 'reply':
    case 'failed':
      return isId(value['id']);
    default:
      return false;
  }
}

function isHello(value: unknown): value is Hello {
  if (!isRecord(value) || !Number.isSafeInteger(value['protocol'])) return false;
  return typeof value['server'] === 'string' && typeof value['realm'] === 'string';
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

/** Whether `value` is an object with string keys. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}
