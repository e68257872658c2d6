/** Bytes as people write them: 500M, 20G, 1.5 TiB. Units count by 1024. */
import { OperatorError } from '../config/operator-error.js';

const units = ['', 'k', 'm', 'g', 't'];

/** @throws OperatorError usage */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text.trim());
  const unit = units.indexOf((match?.[2] ?? '').toLowerCase());
  const bytes = Math.round(Number(match?.[1]) * 1024 ** unit);
  if (match !== null && Number.isSafeInteger(bytes)) return bytes;
  throw new OperatorError(
    'usage',
    `"${text}" is no size. Give bytes, or a number with K, M, G or T, as 20G.`,
  );
}
