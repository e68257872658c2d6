/**
 * What becomes of files that were changed apart, volume by volume, while the realm runs: a new version of the realm
 * document, first in the realm's folder, then at the servers, which tell each other and their gateways.
 */
import { z } from 'zod';
import { conflictPolicies, type ConflictPolicy, type RealmDocument } from '../../vice/interface/index.js';
import { OperatorError } from '../config/operator-error.js';
import { callControlDoor } from './control-door.js';
import { readRealm, realmPaths, withPolicy, writeDocument } from './realm-folder.js';

export const policyOrderSchema = z.strictObject({
  volume: z.string(),
  /** Absent: it is only asked for. */
  policy: z.enum(conflictPolicies).optional(),
});
export type PolicyOrder = z.infer<typeof policyOrderSchema>;

/** As it comes out of the door. */
export const policySchema = z.object({
  volume: z.string(),
  policy: z.enum(conflictPolicies),
  /** Servers that have it. The others hear of it from these, or when they start. */
  servers: z.array(z.string()),
});
export type PolicyOf = z.infer<typeof policySchema>;

export class VolumePolicies {
  readonly #folder: string;
  readonly #tell: (server: string, document: RealmDocument) => Promise<unknown>;
  /** One change after the other: each makes the next version of the document. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    folder: string,
    tell = (server: string, document: RealmDocument): Promise<unknown> =>
      callControlDoor(realmPaths(folder).server(server), 'POST', '/realm', document),
  ) {
    this.#folder = folder;
    this.#tell = tell;
  }

  /** @throws OperatorError refused */
  order(order: PolicyOrder): Promise<PolicyOf> {
    const done = this.#turn.then(() => this.#carryOut(order));
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #carryOut({ volume: name, policy }: PolicyOrder): Promise<PolicyOf> {
    const realm = await readRealm(this.#folder);
    if (realm === undefined) throw new OperatorError('refused', `${this.#folder} has no realm.`);
    const { document } = realm;
    const volume = document.volumes.find((each) => each.name === name);
    if (volume === undefined) {
      const names = document.volumes.map((each) => each.name).join(', ');
      throw new OperatorError('refused', `There is no volume "${name}"; there are: ${names}.`);
    }
    if (policy === undefined) return { volume: name, policy: policyOf(volume.conflicts), servers: [] };
    const next = withPolicy(document, policy, volume.id);
    if (next !== document) await writeDocument(this.#folder, next);
    // Also where nothing changes: a server may have been away when it did.
    const servers = await Promise.all(
      next.servers.map(async ({ name: server }) => {
        try {
          await this.#tell(server, next);
          return [server];
        } catch (error) {
          if (!(error instanceof OperatorError)) throw error;
          return [];
        }
      }),
    );
    return { volume: name, policy, servers: servers.flat() };
  }
}

function policyOf(conflicts: ConflictPolicy | undefined): ConflictPolicy {
  return conflicts ?? 'keep';
}
