import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

interface Locked {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
}

const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, Locked> };

/** Where Node would find a package that `from` asks for. */
function found(from: string, name: string): boolean {
  for (let folder = from; ; folder = folder.replace(/(^|\/)node_modules\/(@[^/]+\/)?[^/]+$/, '')) {
    if (`${folder}${folder === '' ? '' : '/'}node_modules/${name}` in packages) return true;
    if (folder === '') return false;
  }
}

/** `npm ci` refuses a lock that lacks the packages of another platform, even where it needs none of them. */
it('the lock holds every package that it names, those of other platforms too', () => {
  const missing = Object.entries(packages).flatMap(([from, { dependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies })
      .filter((name) => !found(from, name))
      .map((name) => `${name}, for ${from || 'the project'}`),
  );
  expect(missing).toEqual([]);
});

it('each package has its integrity, and none an address', () => {
  const others = Object.entries(packages).filter(([name]) => name !== '');
  expect(others.length).toBeGreaterThan(100);
  expect(others.filter(([, { integrity, version }]) => integrity === undefined || version === undefined)).toEqual([]);
  expect(others.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
});
