/**
 * The life of one server or gateway process: take the data folder, answer at its control door, start, say
 * that it is ready, wait for the end, close. Alone it is ended by signals; under `coda up` by an order on the
 * channel to the supervisor, or by the channel's end: so nothing is left behind when `coda up` is killed.
 */
import { isFailure } from '../../vice/interface/index.js';
import type { Clock } from '../../vice/seam/clock.js';
import type { RoleConfig } from '../config/role-config.js';
import { OperatorError } from '../config/operator-error.js';
import type { ChildReport } from '../realm/child.js';
import { openControlDoor, type Answer } from '../realm/control-door.js';
import { takeFolder } from '../realm/data-folder.js';
import type { Status } from '../realm/status.js';
import { endingOf } from './exit-code.js';
import { print, type CommonOptions } from './output.js';

export interface RunningRole {
  readonly url: string;
  status(): Status;
  /** What its control door answers beside its status. */
  readonly answer?: Answer;
  close(): Promise<void>;
}

export interface RoleOptions {
  readonly role: 'server' | 'gateway';
  readonly config: RoleConfig;
  readonly clock: Clock;
  readonly output: CommonOptions;
  start(): Promise<RunningRole>;
}

/** The killed predecessor under a supervisor needs a moment to end. */
const claimPatienceMs = 10_000;
/** The supervisor loses patience after four seconds. */
const closeWithinMs = 3_500;

/** Runs the role to its end. @throws OperatorError, Failure when it cannot start */
export async function runRole(options: RoleOptions): Promise<void> {
  const { config, clock } = options;
  const stopped = stopOrdered();
  try {
    await takeFolder(config.data, { role: options.role, name: config.name, realm: config.realm.realm });
    let running: RunningRole | undefined;
    const answer: Answer = async (method, path, body) => {
      if (running === undefined) {
        throw new OperatorError('unreachable', `${config.name} is just starting. Try again in a moment.`);
      }
      return method === 'GET' && path === '/status' ? running.status() : running.answer?.(method, path, body);
    };
    const patience = supervised() ? claimPatienceMs : 0;
    const door = await openControlDoor(config.data, answer, clock, patience);
    try {
      running = await options.start();
      await report({ report: 'ready', url: running.url });
      if (!supervised()) printReady(options, running.url);
      await stopped;
      clock.after(closeWithinMs, () => process.exit(1));
      await running.close();
    } finally {
      await door.close();
    }
  } catch (error) {
    const expected = error instanceof OperatorError || isFailure(error);
    const ending = endingOf(error);
    if (expected && ending.kind !== 'ok' && ending.kind !== 'unexpected') {
      await report({ report: 'failed', kind: ending.kind, message: ending.message });
    }
    throw error;
  }
}

function printReady({ role, config, output }: RoleOptions, url: string): void {
  const text = (): string => `The ${role} ${config.name} is up at ${url}`;
  print(output, { name: config.name, url, pid: process.pid }, text);
}

function supervised(): boolean {
  return process.send !== undefined;
}

/** Resolves when this process shall end. */
function stopOrdered(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGTERM', resolve);
    if (!supervised()) {
      process.once('SIGINT', resolve);
      return;
    }
    // Ctrl-C goes to the whole process group; the supervisor stops its children in order.
    process.on('SIGINT', () => undefined);
    process.on('message', () => resolve());
    process.once('disconnect', resolve);
  });
}

function report(message: ChildReport): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) return resolve();
    process.send(message, undefined, undefined, () => resolve());
  });
}
