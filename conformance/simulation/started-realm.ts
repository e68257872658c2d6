import { SimulatedRealm, type SimulatedRealmOptions } from './simulated-realm.js';

/** A realm in which all servers and then `gateways` have started. */
export async function startedRealm(
  options: SimulatedRealmOptions,
  gateways: readonly string[] = ['g1', 'g2'],
): Promise<SimulatedRealm> {
  const realm = new SimulatedRealm(options);
  for (const name of realm.serverNames) await realm.startServer(name);
  for (const name of gateways) await realm.startGateway(name);
  return realm;
}
