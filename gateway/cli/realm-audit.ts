/** `coda realm audit`: who came in and who changed the realm, as each server remembers it. */
import type { Command } from 'commander';
import {
  auditLimits,
  brokenLink,
  isFailure,
  type AuditEntry,
  type Result,
} from '../../vice/interface/index.js';
import type { Administration } from '../administration/administration.js';
import { OperatorError } from '../config/operator-error.js';
import { print, progress, table } from './output.js';
import { keyOption, realmOption, withRealm, type RealmOptions } from './realm-choice.js';
import { dataOption } from './status.js';
import { unknownName } from './unknown-name.js';

interface AuditOptions extends RealmOptions {
  readonly server?: string;
  readonly last: string;
  readonly verify?: boolean;
}

interface Told extends AuditEntry {
  readonly server: string;
}

export function addAuditCommand(realm: Command): void {
  realm
    .command('audit')
    .description('who came in by password, who changed the realm, its people and its snapshots')
    .option(...dataOption)
    .option(...realmOption)
    .option(...keyOption)
    .option('--server <name>', 'only what this server remembers')
    .option('--last <count>', 'so many entries of each server', '50')
    .option('--verify', 'read all entries and check that none was changed or taken out')
    .option(
      '--json',
      'print one JSON object: {"entries": [{"server", "number", "time", "event", "by", "through", "what"}], "broken"}',
    )
    .addHelpText(
      'after',
      `
Changes of the realm are remembered by the server that published them, logins by the one that was asked. What an entry
says was wanted was done, unless the next one of the same name says that it was refused. Entries form a chain; the last
100,000 are kept.

Examples:
  coda realm audit
  coda realm audit --realm office --server s1 --verify`,
    )
    .action(async (_options: unknown, command: Command) => {
      await audit(command.optsWithGlobals<AuditOptions>());
    });
}

async function audit(options: AuditOptions): Promise<void> {
  const last = Number(options.last);
  if (!Number.isInteger(last) || last < 1 || last > auditLimits.page) {
    throw new OperatorError('usage', `Give --last as a number from 1 to ${auditLimits.page}.`);
  }
  const entries: Told[] = [];
  const broken: string[] = [];
  await withRealm(options, async (administration) => {
    for (const server of await serversOf(administration, options.server)) {
      try {
        const page = await administration.audit(server, null, last);
        entries.push(...page.entries.map((entry) => ({ ...entry, server })));
        const fault = options.verify === true ? await firstBroken(administration, server) : brokenIn(page);
        if (fault !== undefined)
          broken.push(`${server}: entry ${fault} cannot be read, or does not continue the one before it`);
      } catch (error) {
        if (!isFailure(error)) throw error;
        if (options.server !== undefined) throw error;
        progress(`${server}: ${error.message}`);
      }
    }
  });
  entries.sort((a, b) => a.time - b.time);
  print(options, { entries, broken }, () => textOf(entries, options.verify === true && broken.length === 0));
  if (broken.length > 0)
    throw new OperatorError(
      'refused',
      `The audit log was tampered with, or its disk has damaged it. ${broken.join('; ')}.`,
    );
}

async function serversOf(
  administration: Administration,
  wanted: string | undefined,
): Promise<readonly string[]> {
  const names = (await administration.document()).servers.map(({ name }) => name);
  if (wanted === undefined) return names;
  if (names.includes(wanted)) return [wanted];
  throw unknownName('server', wanted, names);
}

/** The newest ones may be left out, too. */
function brokenIn({ entries, last }: Result<'audit'>): number | undefined {
  const end = entries.at(-1)?.number ?? 0;
  return brokenLink(entries) ?? (end < last ? last : undefined);
}

/** Over all that the server has, page by page, each with the last entry of the one before. */
async function firstBroken(administration: Administration, server: string): Promise<number | undefined> {
  let before: AuditEntry | undefined;
  for (;;) {
    const { entries, last } = await administration.audit(server, before?.number ?? 0, auditLimits.page);
    const fault = brokenLink(before === undefined ? entries : [before, ...entries]);
    if (fault !== undefined) return fault;
    if (entries.length === 0) return (before?.number ?? 0) < last ? last : undefined;
    before = entries.at(-1);
    if (entries.length === auditLimits.page) progress(`${server}: ${before?.number ?? 0} entries checked`);
  }
}

function textOf(entries: readonly Told[], isVerified: boolean): string {
  const rows = entries.map(({ time, server, event, by, through, what }) => {
    const fields = Object.entries(what).map(([name, value]) => `${name}=${value}`);
    return [new Date(time).toISOString(), server, by, through, event, fields.join(' ')];
  });
  const lines = [table([['TIME', 'SERVER', 'WHO', 'THROUGH', 'WHAT', ''], ...rows])];
  if (isVerified) lines.push('All entries are there, as they were written.');
  return lines.join('\n');
}
