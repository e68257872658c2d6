/** The name that something of a snapshot gets beside what bears its own name now. Pure. */
import { limits } from '../../../vice/interface/index.js';

/** Longest ending that is kept behind, as `.docx`. */
const endingLength = 16;

/** What tells a snapshot from others of its name: `noon 2024-05-31`, but `daily 2024-05-31` as it is. */
export function pastLabel(snapshot: string, time: number): string {
  const day = new Date(time).toISOString().slice(0, 10);
  return snapshot.includes(day) ? snapshot : `${snapshot} ${day}`;
}

/** `plan (noon 2024-05-31).txt`; the `attempt`th one from 2 on says so. */
export function pastName(name: string, label: string, attempt: number): string {
  const dot = name.lastIndexOf('.');
  const hasEnding = dot > 0 && name.length - dot <= endingLength;
  const ending = hasEnding ? name.slice(dot) : '';
  const behind = ` (${label}${attempt > 1 ? ` ${attempt}` : ''})${ending}`;
  let stem = '';
  for (const character of hasEnding ? name.slice(0, dot) : name) {
    if (Buffer.byteLength(`${stem}${character}${behind}`) > limits.nameBytes) break;
    stem += character;
  }
  return `${stem}${behind}`;
}
