/** `coda realm revoke`: a certificate that was lost, or whose machine was, counts no more. */
import type { Command } from 'commander';
import { identityText, type RealmIdentity } from '../../vice/interface/index.js';
import { commandName, shellQuoted } from '../config/command-name.js';
import { OperatorError } from '../config/operator-error.js';
import { listCertificates, type Listed } from '../setup/issued.js';
import { print, type CommonOptions } from './output.js';
import { withRealm } from './realm-choice.js';
import { unknownName } from './unknown-name.js';

interface RevokeOptions extends CommonOptions {
  readonly realm: string;
}

const second = 1000;

export function addRevokeCommand(realm: Command): void {
  realm
    .command('revoke <name>')
    .description('let no certificate of a server, gateway or administrator count that was issued until now')
    .option('--realm <dir>', 'the folder of `coda realm init`', '.')
    .option('--json', 'print one JSON object: {"name", "role", "before", "changed"}')
    .addHelpText(
      'after',
      `
For a machine that was stolen, or a key that somebody may have copied. All servers and gateways hear of it at once and
close the links that are open. The one that it was can be issued another certificate: coda realm certificate NAME.

Examples:
  coda realm revoke g2 --realm office`,
    )
    .action(async (name: string, _options: unknown, command: Command) => {
      await revoke(name, command.optsWithGlobals<RevokeOptions>());
    });
}

async function revoke(name: string, options: RevokeOptions): Promise<void> {
  const { identity, from } = await certificateOf(options.realm, name);
  const { role } = identity;
  // Certificates have whole seconds; the next one is valid from this moment on, and is none of those before it.
  const before = Math.max(Math.floor(Date.now() / second) * second, from + second);
  const changed = await withRealm(options, (administration) => {
    return administration.publish({ change: 'revoke', role, name, before });
  });
  const again = `${commandName()} realm certificate ${name} --realm ${shellQuoted(options.realm)}`;
  print(options, { name, role, before: new Date(before).toISOString(), changed }, () =>
    [
      `No certificate of ${identityText(identity)} counts that was issued until now.`,
      `A new one: ${again}`,
    ].join('\n'),
  );
}

type Own = Listed & { readonly identity: RealmIdentity };

/** @throws OperatorError refused */
async function certificateOf(folder: string, name: string): Promise<Own> {
  const own = (await listCertificates(folder)).filter((each): each is Own => each.identity !== undefined);
  const found = own.find(({ identity }) => identity.name === name);
  if (found === undefined) {
    const names = own.map(({ identity }) => identity.name);
    throw unknownName('certificate of', name, names);
  }
  if (found.file !== 'administrator.crt') return found;
  const how =
    'Say this in the folder of another administrator (coda realm certificate NAME --administrator).';
  throw new OperatorError('refused', `${name} is who revokes here. ${how}`);
}
