/** The name that contents get which may not take the place of others. Pure. */
import { limits } from '../../vice/interface/index.js';

/** Longest ending that is kept behind, as `.docx`. */
const endingLength = 16;

/** `name (restored ann 2026-01-02 03.04.05).ext`, in UTC; the `attempt`th one from 2 on says so. */
export function besideName(name: string, author: string, time: number, attempt: number): string {
  const dot = name.lastIndexOf('.');
  const hasEnding = dot > 0 && name.length - dot <= endingLength;
  const stem = hasEnding ? name.slice(0, dot) : name;
  const ending = hasEnding ? name.slice(dot) : '';
  const who = [...author.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}/\\:]/gu, '_')].slice(0, 40).join('');
  const again = attempt > 1 ? ` ${attempt}` : '';
  const behind = ` (restored ${who} ${momentText(time)}${again})${ending}`;
  return `${shortened(stem, limits.nameBytes - Buffer.byteLength(behind))}${behind}`;
}

/** A colon is no part of a name on Windows. */
function momentText(time: number): string {
  const moment = new Date(time);
  const isTime = !Number.isNaN(moment.getTime());
  return isTime ? moment.toISOString().slice(0, 19).replace('T', ' ').replaceAll(':', '.') : 'at some time';
}

function shortened(text: string, bytes: number): string {
  let short = '';
  let length = 0;
  for (const character of text) {
    length += Buffer.byteLength(character);
    if (length > bytes) break;
    short += character;
  }
  return short;
}
