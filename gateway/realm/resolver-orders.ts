/** What the control door of a gateway answers about its resolvers: whether they run, and which rules there are. */
import { z } from 'zod';
import { OperatorError } from '../config/operator-error.js';

export const resolverOrderSchema = z.strictObject({
  /** Absent: it is only asked for. */
  on: z.boolean().optional(),
});

/** As it comes out of the door. */
export const resolversSchema = z.object({
  /** Commands are run: it is switched on, and there are rules. */
  on: z.boolean(),
  rules: z.array(z.object({ match: z.string(), command: z.array(z.string()) })),
  /** Files for which one has failed. */
  failures: z.number(),
});
export type ResolversOf = z.infer<typeof resolversSchema>;

/** The resolvers of a running gateway, as its control door knows them. */
export interface ResolverControl {
  readonly isOn: boolean;
  readonly rules: ResolversOf['rules'];
  readonly failures: number;
  set(isOn: boolean): Promise<void>;
}

/** @throws OperatorError refused */
export async function ordered(
  resolvers: ResolverControl,
  { on }: z.infer<typeof resolverOrderSchema>,
): Promise<ResolversOf> {
  if (on === true && resolvers.rules.length === 0) {
    const how = 'Give a rule file: `coda up --resolvers FILE`, or "resolvers" in its configuration.';
    throw new OperatorError('refused', `This gateway has no rules for resolvers. ${how}`);
  }
  if (on !== undefined) await resolvers.set(on);
  const { rules, failures } = resolvers;
  return { on: resolvers.isOn && rules.length > 0, rules: [...rules], failures };
}
