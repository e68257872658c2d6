/** Scenarios that have failed once, one file each, in conformance/simulation/scenarios. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Scenario, StoredScenario } from './scenario.js';

const folder = resolve(import.meta.dirname, '../../../../conformance/simulation/scenarios');

export function storedScenarios(): readonly { readonly name: string; readonly scenario: StoredScenario }[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => ({ name, scenario: readScenario(join(folder, name)) }));
}

export function readScenario(path: string): StoredScenario {
  const scenario = JSON.parse(readFileSync(path, 'utf8')) as StoredScenario;
  if (scenario.format !== 1 || !Array.isArray(scenario.steps))
    throw new Error(`${path} is no scenario of format 1`);
  return scenario;
}

/** One step a line, so that a person can read it and a diff shows it. The answer is the path. */
export function storeScenario(scenario: Scenario, law: string, story: string): string {
  const name = `${law.replaceAll(' ', '-')}-${scenario.seed}.json`;
  const { steps: _steps, ...rest } = scenario;
  const head = { format: 1, story, expect: 'holds', law, ...rest };
  const steps = scenario.steps.map((step) => `    ${JSON.stringify(step)}`).join(',\n');
  const text = `${JSON.stringify(head, null, 2).slice(0, -2)},\n  "steps": [\n${steps}\n  ]\n}\n`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), text);
  return join('conformance/simulation/scenarios', name);
}
