#!/usr/bin/env node
/** The command `coda`. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { z } from 'zod';
import { addAclCommand } from './acl.js';
import { addCacheCommand } from './cache.js';
import { addConflictsCommand } from './conflicts.js';
import { addDisconnectCommands } from './disconnect.js';
import { endingOf, exitCodesHelp } from './exit-code.js';
import { addExportCommand } from './export.js';
import { addGatewayCommand } from './gateway.js';
import { addGroupCommand } from './group.js';
import { addHoardCommand } from './hoard.js';
import { addImportCommand } from './import.js';
import { addLogCommand } from './log.js';
import { printError, type CommonOptions } from './output.js';
import { addRealmCommand } from './realm.js';
import { addRepairCommand } from './repair.js';
import { addResolversCommand } from './resolvers.js';
import { addScrubCommand } from './scrub.js';
import { addServerCommand } from './server.js';
import { addServersCommand } from './servers.js';
import { addSpyCommand } from './spy.js';
import { addStatusCommand } from './status.js';
import { addUpCommand } from './up.js';
import { addUserCommand } from './user.js';
import { addViceCommand } from './vice.js';
import { addVolumeCommand } from './volume.js';
import { addVolumeModeCommands } from './volume-mode.js';

function createProgram(): Command {
  const program = new Command('coda')
    .description('A file share that stays readable and writable when servers are gone.')
    .version(version())
    .option('--debug', 'show where an error came from')
    .showSuggestionAfterError()
    .showHelpAfterError('(--help lists the options, with examples)')
    .exitOverride()
    .addHelpText(
      'after',
      `${exitCodesHelp}

Examples:
  coda up                          a whole realm on this machine
  coda status                      how it is
  coda servers stop s2             take a server away
  coda server add s4               one more server, then coda volume replica add
  coda scrub --wait                check all that the servers hold, heal what is damaged
  coda disconnect                  let the gateway work without servers, until coda reconnect
  coda hoard add /docs 100:d+      keep a folder in the cache, then coda hoard walk
  coda import DIR root:/docs       bring a folder in; coda export takes one out
  coda log                         what waits to be sent to the servers
  coda conflicts                   what people must decide about, then coda repair
  coda user add alice              another user of the share
  coda group add staff alice       users in groups, for access lists
  coda acl set /docs alice rl      what she may do there
  coda realm init DIR --server ...  a realm on several machines, from nothing
  coda gateway --config g1.yaml    one gateway of a real deployment`,
    );
  addUpCommand(program);
  addStatusCommand(program);
  addRealmCommand(program);
  addServersCommand(program);
  addServerCommand(program);
  addVolumeCommand(program);
  addScrubCommand(program);
  addDisconnectCommands(program);
  addVolumeModeCommands(program);
  addHoardCommand(program);
  addSpyCommand(program);
  addCacheCommand(program);
  addImportCommand(program);
  addExportCommand(program);
  addLogCommand(program);
  addConflictsCommand(program);
  addRepairCommand(program);
  addResolversCommand(program);
  addAclCommand(program);
  addUserCommand(program);
  addGroupCommand(program);
  addViceCommand(program);
  addGatewayCommand(program);
  return program;
}

function version(): string {
  const file = new URL('../../../package.json', import.meta.url);
  return z.object({ version: z.string() }).parse(JSON.parse(readFileSync(file, 'utf8'))).version;
}

async function main(): Promise<number> {
  // Options are not parsed yet when parsing itself fails.
  const given = new Set(process.argv);
  const asked: CommonOptions = { json: given.has('--json'), debug: given.has('--debug') };
  try {
    await createProgram().parseAsync();
    return 0;
  } catch (error) {
    const ending = endingOf(error);
    printError(asked, ending, error);
    return ending.code;
  }
}

// Whoever reads may go away (`coda up | head -1`): the realm goes on.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
// An explicit exit: a store or a socket that is still open must not keep a finished command alive.
process.exit(await main());
