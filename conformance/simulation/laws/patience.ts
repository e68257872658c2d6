/**
 * Nobody waits long for servers, whatever is wrong with them: a deed is answered within a few times the patience with
 * one of them, unless its own gateway was halted or had a slow disk.
 */
import type { Law } from '../world/outcome.js';
import { wordsOf } from '../world/scenario.js';

/** A deed asks several times, and at each time another server may have come to a halt. */
const mostMs = 15_000;

export const patience: Law = ({ ledger }) =>
  ledger.attempts.flatMap(({ by, gateway, deed, begin, end }) => {
    if (end === undefined || end - begin <= mostMs) return [];
    const isOwn = ledger.halts.some((halt) => halt.at === gateway && halt.begin <= end && halt.end >= begin);
    return isOwn ? [] : [`${by} at ${begin}: ${wordsOf(deed)} was answered after ${end - begin} ms`];
  });
