/**
 * PROPPATCH (RFC 4918 section 9.2): dead properties are kept by Venus with the object, each as a whole
 * element.
 */
import { isFailure, type ObjectStatus, type Place } from '../../venus/interface.js';
import type { Exchange, Method } from './exchange.js';
import { hrefOf } from './href.js';
import { emptyOf } from './property-rendering.js';
import {
  decide,
  instructionsOf,
  isWin32Only,
  type Decision,
  type Instruction,
  type Verdict,
} from './property-update.js';
import { existingTarget, requireConditions } from './target.js';
import { readXml } from './xml-reader.js';
import {
  errorElement,
  escapeXml,
  multistatusEnd,
  multistatusStart,
  propstat,
  xmlContentType,
} from './xml-writer.js';

export const proppatch: Method = async (exchange) => {
  const { share, path } = exchange;
  const instructions = instructionsOf(await readXml(exchange.body));
  const place = await existingTarget(exchange);
  const { object } = place;
  requireConditions(exchange, object);
  await passLocks(exchange, place, instructions);
  const decision = decide(instructions, object);
  const verdicts = await apply(exchange, object, decision);
  const href = hrefOf(share.prefix, path, object.kind === 'directory');
  return { status: 207, headers: { 'Content-Type': xmlContentType }, body: multistatus(href, verdicts) };
};

async function passLocks(
  exchange: Exchange,
  place: Place,
  instructions: readonly Instruction[],
): Promise<void> {
  const { share, caller, path } = exchange;
  const ownLocks = share.locks.covering(place).every((lock) => lock.principal === caller.user);
  const needsToken = !(ownLocks && isWin32Only(instructions));
  await share.locks.guard(exchange, needsToken ? [{ place, path, kind: 'content' }] : []);
}

/**
 * The verdicts after the changes: a refusal by Venus is told for each property (clients give up on a plain
 * 403).
 */
async function apply(
  exchange: Exchange,
  object: ObjectStatus,
  decision: Decision,
): Promise<readonly Verdict[]> {
  const { verdicts, changes, modified } = decision;
  if (verdicts.some(({ status }) => status !== 200)) return verdicts;
  const { venus, log } = exchange.share;
  const { caller } = exchange;
  if (venus.isLocked(object.fid)) return verdicts.map(({ name }) => ({ name, status: 403 }));
  try {
    if (modified !== undefined) await venus.setModified(caller, object.fid, modified);
    if (Object.keys(changes.set).length === 0 && changes.remove.length === 0) return verdicts;
    try {
      await venus.setProperties(caller, object.fid, changes);
    } catch (error) {
      // All or nothing: the time goes back to what it was.
      if (modified !== undefined) await venus.setModified(caller, object.fid, object.modified);
      throw error;
    }
    return verdicts;
  } catch (error) {
    const status = refusal(error);
    if (status === undefined) throw error;
    log.info('proppatch.refused', { fid: object.fid, error: String(error) });
    return verdicts.map(({ name }) => ({ name, status }));
  }
}

function refusal(error: unknown): 403 | 507 | undefined {
  if (isFailure(error, 'access-denied')) return 403;
  if (isFailure(error, 'too-large', 'no-space', 'quota')) return 507;
  return undefined;
}

/** One propstat for each outcome. */
function multistatus(href: string, verdicts: readonly Verdict[]): string {
  let text = `${multistatusStart}<D:response><D:href>${escapeXml(href)}</D:href>`;
  for (const group of groups(verdicts)) {
    const [first] = group;
    if (first === undefined) continue;
    const error = first.condition === undefined ? '' : errorElement(first.condition);
    text += propstat(group.map(({ name }) => emptyOf(name)).join(''), first.status, error);
  }
  return `${text}</D:response>${multistatusEnd}`;
}

function groups(verdicts: readonly Verdict[]): readonly (readonly Verdict[])[] {
  const byStatus = new Map<number, Verdict[]>();
  for (const verdict of verdicts) {
    const group = byStatus.get(verdict.status);
    if (group === undefined) byStatus.set(verdict.status, [verdict]);
    else group.push(verdict);
  }
  return [...byStatus.values()];
}
